package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/yunzhao-station/yunzhao/sync/central"
)

type studentCmd struct {
	Find  studentFindCmd  `cmd:"" help:"查找学生编号；证件号码、学号或姓名从标准输入读取 Find a student's ref; the number or name is read from standard input."`
	Erase studentEraseCmd `cmd:"" help:"彻底删除一名学生的信息与照片 Erase a student's record and photos for good."`
}

type studentFindCmd struct{ dataFlag }

// Run takes the number from standard input: arguments can be read by every user
// of the machine. It prints refs and neither names nor numbers.
func (c *studentFindCmd) Run(e *env) error {
	line, err := bufio.NewReader(io.LimitReader(e.in, 1024)).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("read what to look for: %w", err)
	}
	form := url.Values{"text": {strings.TrimSpace(line)}}
	return c.with(e, func(ctl *central.Control) error {
		var found []central.FoundStudent
		if err := ctl.Do(e.ctx, http.MethodPost, "/students/find", formType, []byte(form.Encode()), &found); err != nil {
			return err
		}
		for _, f := range found {
			e.printf("%s\t%s\t%s\n", f.Ref, f.Batch, f.Capture)
		}
		if len(found) == 0 {
			return errors.New("没有找到 / nobody found")
		}
		return nil
	})
}

type studentEraseCmd struct {
	dataFlag
	Ref string `arg:"" help:"学生编号，见 student find The student's ref, as student find prints it."`
	Yes bool   `required:"" help:"不可恢复，须写明 There is no way back; has to be said."`
}

// Run erases at once; there is no way back.
func (c *studentEraseCmd) Run(e *env) error {
	return c.with(e, func(ctl *central.Control) error {
		form := url.Values{"ref": {c.Ref}}
		if err := ctl.Do(e.ctx, http.MethodPost, "/students/erase", formType, []byte(form.Encode()), &struct{}{}); err != nil {
			return err
		}
		e.printf("已彻底删除 Erased %s\n请把 %s 与备份一起保管：恢复旧备份时它让该学生不会重新出现\nKeep %s with the backups: beside it an older backup does not bring the student back\n",
			c.Ref, central.FileTombstones, central.FileTombstones)
		return nil
	})
}

type purgeCmd struct {
	dataFlag
	DryRun bool `help:"只列出，不销毁 Say what would be destroyed."`
}

// Run does what the server does every hour.
func (c *purgeCmd) Run(e *env) error {
	return c.with(e, func(ctl *central.Control) error {
		form := url.Values{}
		if c.DryRun {
			form.Set("dry", "1")
		}
		var rep central.PurgeReport
		if err := ctl.Do(e.ctx, http.MethodPost, "/purge", formType, []byte(form.Encode()), &rep); err != nil {
			return err
		}
		for batch, n := range rep.Due {
			e.printf("%s\t到期 due %d\n", batch, n)
		}
		for batch, n := range rep.Waiting {
			e.printf("%s\t到期但须先导出 due, kept until exported %d\n", batch, n)
		}
		if rep.Done {
			e.printf("已销毁 destroyed %d\n", rep.Total())
		}
		return nil
	})
}

type verifyCmd struct {
	dataFlag
	JSON bool `help:"Print JSON."`
}

// Run fails when a packet on the disk is not the one that was acknowledged.
func (c *verifyCmd) Run(e *env) error {
	return c.with(e, func(ctl *central.Control) error {
		var rep central.VerifyReport
		if err := ctl.Do(e.ctx, http.MethodGet, "/verify", "", nil, &rep); err != nil {
			return err
		}
		if c.JSON {
			if err := writeJSON(e.out, rep); err != nil {
				return err
			}
		} else {
			e.printf("照片包完好 whole %d，损坏或缺失 bad %d\n", rep.Whole, len(rep.Bad))
			for _, id := range rep.Bad {
				e.printf("%s\n", id)
			}
		}
		if len(rep.Bad) > 0 {
			return fmt.Errorf("%d 个照片包损坏或缺失 / packets are damaged or missing", len(rep.Bad))
		}
		return nil
	})
}
