package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"image"
	"image/jpeg"
	"os"
	"os/signal"
	"syscall"

	"github.com/yunzhao-station/yunzhao/sync/conformance"
)

// ConformanceCmd holds a central server to the contract.
type ConformanceCmd struct {
	Central string `help:"审核中心地址 / Central's address, https://host." required:"" placeholder:"URL"`
	Code    string `help:"一次性登记码，请用试验批次的 / One-time enrolment code, of a trial batch: the trial sends packets that are not photos." required:""`
	JSON    bool   `help:"输出 JSON / Print JSON."`
}

// Run prints a line a rule; exit code 3 when the server breaks one.
func (c ConformanceCmd) Run(s *streams) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	var picture bytes.Buffer
	if err := jpeg.Encode(&picture, image.NewGray(image.Rect(0, 0, 480, 640)), nil); err != nil {
		return err
	}
	p := conformance.Params{URL: c.Central, Code: c.Code, Portrait: picture.Bytes()}
	if !c.JSON {
		p.Report = func(r conformance.Result) {
			mark := "通过 ok  "
			if !r.OK {
				mark = "不符 FAIL"
			}
			fmt.Fprintf(s.out, "%s  %-20s  %s\n", mark, r.ID, r.Rule)
			if !r.OK {
				fmt.Fprintf(s.out, "%*s%s\n", 33, "", r.Detail)
			}
		}
	}
	results, err := conformance.Run(ctx, p)
	if err != nil {
		return fmt.Errorf("没有完成 / not completed: %w", err)
	}
	failed := 0
	for _, r := range results {
		if !r.OK {
			failed++
		}
	}
	if c.JSON {
		enc := json.NewEncoder(s.out)
		enc.SetIndent("", "  ")
		if err := enc.Encode(results); err != nil {
			return err
		}
	} else {
		fmt.Fprintf(s.out, "\n%d 条规则，%d 条不符 / %d rules, %d broken\n", len(results), failed, len(results), failed)
	}
	if failed > 0 {
		return exitError(exitRefused)
	}
	return nil
}
