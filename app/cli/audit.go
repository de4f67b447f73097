package cli

import (
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/yunzhao-station/yunzhao/app/config"
	"github.com/yunzhao-station/yunzhao/app/station"
	"github.com/yunzhao-station/yunzhao/sync/outbox"
)

// AuditCmd groups what is done with the audit log.
type AuditCmd struct {
	Verify AuditVerifyCmd `cmd:"" help:"核对审计日志是否被改过 / Check that nothing in the audit log was changed."`
}

// AuditVerifyCmd walks the audit log; the station may be running.
type AuditVerifyCmd struct {
	DataFlag `embed:""`
	JSON     bool `help:"JSON." name:"json"`
}

// auditResult is the command's answer.
type auditResult struct {
	Clean    bool     `json:"clean"`
	Entries  int      `json:"entries"`
	Signed   int      `json:"signed"`
	Unsigned int      `json:"unsigned"` // left by a crash after the last signed head
	Torn     bool     `json:"torn"`
	Head     string   `json:"head"`
	Broken   int      `json:"broken"` // first entry that is not what was written; 0 = none
	Problem  string   `json:"problem,omitempty"`
	Aside    []string `json:"aside"`  // broken logs that the station has put aside
	Packet   string   `json:"packet"` // whether the last packet's head was compared: in_chain, running, none
}

// auditProblems says in words what a walk found.
var auditProblems = map[station.AuditProblem]string{
	station.AuditUnreadable: "这一行不是日志条目 / the line is no entry",
	station.AuditNumber:     "有条目被删除、插入或调换 / an entry is missing, added or moved",
	station.AuditChain:      "这一条被改过 / the entry was changed",
	station.AuditCut:        "末尾已签名的条目被删除 / signed entries are gone from the end",
	station.AuditHeadWrong:  "签名的链头对不上 / the entry is not the one that was signed",
	station.AuditNoHead:     "签名的链头文件不见了 / the signed head is gone",
	station.AuditForged:     "链头不是本机签的 / the head is not signed by this station",
	station.AuditAdded:      "本机退出之后又被添加 / added after the station had ended",
	station.AuditPacket:     "与最后一个照片包里的链头对不上 / not the log that the last packet was sealed on",
}

// Run walks the log. A broken one is exit 1 and names the entry.
func (c AuditVerifyCmd) Run(s *streams) error {
	dir, key, err := c.key(s)
	if err != nil {
		return err
	}
	public, ok := key.Public().(ed25519.PublicKey)
	if !ok {
		return errors.New("station key: not Ed25519")
	}
	head, compared, err := lastPacketHead(dir, key)
	if err != nil {
		return err
	}
	r, err := station.VerifyAudit(dir, public, head)
	if err != nil {
		return err
	}
	res := auditResult{
		Clean: r.Clean(), Entries: r.Entries, Signed: r.Signed, Unsigned: r.Unsigned, Torn: r.Torn, Head: r.Head,
		Broken: r.Broken, Problem: string(r.Problem), Aside: r.Aside, Packet: compared,
	}
	if res.Aside == nil {
		res.Aside = []string{}
	}
	if c.JSON {
		e := json.NewEncoder(s.out)
		e.SetIndent("", "  ")
		if err := e.Encode(res); err != nil {
			return err
		}
	} else {
		fmt.Fprintf(s.out, "条目 / entries %d，已签名 / signed %d，链头 / head %.16s\n", res.Entries, res.Signed, res.Head)
		if res.Unsigned > 0 || res.Torn {
			fmt.Fprintf(s.out, "上次非正常退出后有 %d 条未签名 / %d entries after an unclean end are not signed yet\n", res.Unsigned, res.Unsigned)
		}
		if compared == "running" {
			fmt.Fprintln(s.out, "云照站正在运行，没有与照片包对照 / the station is running: not compared with the packets")
		}
		if r.Broken > 0 {
			fmt.Fprintf(s.out, "✗ 第 %d 条：%s\n", r.Broken, auditProblems[r.Problem])
		}
		for _, name := range res.Aside {
			fmt.Fprintf(s.out, "✗ 启动时发现日志被改过，已另存 / changed before a start and put aside: %s\n", name)
		}
		if res.Clean {
			fmt.Fprintln(s.out, "✓ 完整，没有被改过 / whole and unchanged")
		}
	}
	if !res.Clean {
		return exitError(exitFailed)
	}
	return nil
}

// lastPacketHead is the head of the log on which the last packet was sealed, as
// the outbox keeps it; a running station's outbox cannot be asked.
func lastPacketHead(dir string, key ed25519.PrivateKey) (head, compared string, err error) {
	if _, err := os.Stat(filepath.Join(dir, outboxDir)); errors.Is(err, fs.ErrNotExist) {
		return "", "none", nil
	}
	cfg, err := config.Load(dir)
	if err != nil {
		return "", "", err
	}
	box, err := openOutbox(dir, key, cfg, nil, nil, slog.New(slog.DiscardHandler))
	if errors.Is(err, outbox.ErrLocked) {
		return "", "running", nil
	}
	if err != nil {
		return "", "", err
	}
	defer func() { _ = box.Close() }()
	if head = box.AuditHead(); head == "" {
		return "", "none", nil
	}
	return head, "in_chain", nil
}
