package main

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/yunzhao-station/yunzhao/sync/central"
)

type importPacketsCmd struct {
	dataFlag
	Dir string `arg:"" type:"existingdir" help:"U 盘目录 Directory of the USB stick, as yunzhao export wrote it."`
}

// Run takes every good packet; it fails when there was a bad one.
func (c *importPacketsCmd) Run(e *env) error {
	return c.with(e, func(ctl *central.Control) error {
		var rep central.StickReport
		form := url.Values{"dir": {c.Dir}}
		if err := ctl.Do(e.ctx, http.MethodPost, "/stick/packets", formType, []byte(form.Encode()), &rep); err != nil {
			return err
		}
		e.printf("新收 stored %d，已有 known %d，拒收 refused %d，共 of %d\n", rep.Stored, rep.Known, rep.Refused, rep.Found)
		if rep.Erased+rep.Decide > 0 {
			e.printf("学生要求删除：已删除 erased %d，待管理员决定 to be decided %d\n", rep.Erased, rep.Decide)
		}
		for _, b := range rep.Bad {
			e.printf("✗ %s: %s\n", b.Name, b.Why)
		}
		if len(rep.Stations) > 0 {
			e.printf("请把回执写回 U 盘 Write the answers back: yunzhao-central export-answers --station ID DIR（%s）\n", strings.Join(rep.Stations, ", "))
		}
		if len(rep.Bad) > 0 {
			return fmt.Errorf("%d 个文件没有收下，请在站点上重新导出 %d files were not taken: export them again at the station", len(rep.Bad), len(rep.Bad))
		}
		return nil
	})
}

type exportAnswersCmd struct {
	dataFlag
	Station []string `required:"" help:"站点编号 Station ids."`
	Dir     string   `arg:"" type:"existingdir" help:"U 盘目录 Directory of the USB stick."`
}

// Run writes one encrypted file for each station.
func (c *exportAnswersCmd) Run(e *env) error {
	return c.with(e, func(ctl *central.Control) error {
		for _, id := range c.Station {
			var a central.StickAnswers
			form := url.Values{"dir": {c.Dir}, "station": {id}}
			if err := ctl.Do(e.ctx, http.MethodPost, "/stick/answers", formType, []byte(form.Encode()), &a); err != nil {
				return err
			}
			e.printf("%s\t回执 acknowledgements %d\t%s\n", id, a.Acks, a.Path)
		}
		return nil
	})
}

type rotateKeyCmd struct{ dataFlag }

// Run needs the server stopped: a key must not change under a request.
func (c *rotateKeyCmd) Run(e *env) error {
	recipient, err := central.RotateWorkingKey(c.Data)
	if errors.Is(err, central.ErrLocked) {
		return errors.New("请先停止服务器 stop the server first")
	}
	if err != nil {
		return err
	}
	e.printf("新的工作密钥 New working key: %s\n站点下次同步时得知、下次启动时启用 stations learn of it when they next sync and use it from their next start on\n", recipient)
	return nil
}
