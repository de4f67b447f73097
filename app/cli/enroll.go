package cli

import (
	"context"
	"fmt"
	"time"

	"github.com/yunzhao-station/yunzhao/sync/uplink"
)

// EnrollCmd makes this station known to a central server.
type EnrollCmd struct {
	DataFlag `embed:""`
	Central  string `help:"审核中心地址 / Central's address, https://host." required:"" placeholder:"URL"`
	Code     string `help:"一次性登记码 / One-time enrolment code." required:""`
	Name     string `help:"本站名称（缺省取设置）/ What staff call this station (default: the settings)."`
}

// Run enrols.
func (c EnrollCmd) Run(s *streams) error {
	dir, cfg, err := c.load()
	if err != nil {
		return err
	}
	name := c.Name
	if name == "" {
		name = cfg.Station.Name
	}
	store, err := openKeys(dir, cfg)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	e, err := uplink.Enroll(ctx, uplink.EnrollParams{Keys: store, URL: c.Central, Code: c.Code, Name: name, Version: Version, Pin: cfg.Central.PinSHA256})
	if err != nil {
		return enrolWords(err)
	}
	_, err = fmt.Fprintf(s.out, "已登记 / enrolled: %s\n批次 / batches: %d\n", e.Enrolled.StationID, len(e.Enrolled.Batches))
	return err
}
