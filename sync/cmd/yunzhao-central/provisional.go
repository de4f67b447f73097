package main

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/yunzhao-station/yunzhao/sync/central"
	"github.com/yunzhao-station/yunzhao/sync/roster"
)

type provisionalCmd struct {
	List   provisionalListCmd   `cmd:"" help:"列出待决定的 List those about whom nothing is decided."`
	Accept provisionalAcceptCmd `cmd:"" help:"采纳为本批次学生 Take one as a student of the batch."`
	Merge  provisionalMergeCmd  `cmd:"" help:"并入名单中的学生 Make one a student of the roster."`
	Refuse provisionalRefuseCmd `cmd:"" help:"不采纳，照片退回 Refuse one; the photo is rejected."`
}

type provisionalListCmd struct {
	dataFlag
	Batch string `required:"" help:"批次编号 Batch id."`
}

// Run prints masked names and numbers: the list is read over a shoulder.
func (c *provisionalListCmd) Run(e *env) error {
	return c.with(e, func(ctl *central.Control) error {
		var list []central.ProvisionalStudent
		if err := ctl.Do(e.ctx, http.MethodGet, "/provisional?"+url.Values{"batch": {c.Batch}}.Encode(), "", nil, &list); err != nil {
			return err
		}
		for _, p := range list {
			like := make([]string, len(p.Like))
			for i, l := range p.Like {
				like[i] = l.Ref
			}
			e.printf("%s\t%s\t%s\tphotos %s\tlike %s\n", p.Student.Ref, roster.MaskName(p.Student.Name), roster.MaskNumber(p.Student.IDNumber),
				strings.Join(p.Packets, ","), strings.Join(like, ","))
		}
		return nil
	})
}

// provisionalFlag names the student decided about.
type provisionalFlag struct {
	dataFlag
	Student string `arg:"" help:"临时编号 Reference of the student, prov-…"`
}

func (c *provisionalFlag) decide(e *env, decision, into string) error {
	return c.with(e, func(ctl *central.Control) error {
		form := url.Values{"student": {c.Student}, "decision": {decision}, "into": {into}}
		return ctl.Do(e.ctx, http.MethodPost, "/provisional", formType, []byte(form.Encode()), &struct{}{})
	})
}

type provisionalAcceptCmd struct{ provisionalFlag }

// Run takes the student.
func (c *provisionalAcceptCmd) Run(e *env) error { return c.decide(e, central.DecideAccept, "") }

type provisionalMergeCmd struct {
	provisionalFlag
	Into string `required:"" help:"名单中学生的编号 Reference of the student of the roster."`
}

// Run hands the photos over.
func (c *provisionalMergeCmd) Run(e *env) error { return c.decide(e, central.DecideMerge, c.Into) }

type provisionalRefuseCmd struct{ provisionalFlag }

// Run rejects the photo.
func (c *provisionalRefuseCmd) Run(e *env) error { return c.decide(e, central.DecideRefuse, "") }
