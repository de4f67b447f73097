package cli

import (
	"fmt"

	"github.com/yunzhao-station/yunzhao/pipeline"
)

// CheckCmd checks a frame against the rules and writes no file.
type CheckCmd struct {
	photoFlags
	JSON bool `help:"以 JSON 输出报告；多个规格时为数组 / Print the report as JSON; an array for several standards."`
}

// Run measures the photo exactly as standardize does.
func (c CheckCmd) Run(s *streams) error {
	job, err := c.prepare(nil)
	if err != nil {
		return complain(s.err, err)
	}
	failed := false
	var reports []pipeline.Report
	err = job.run(false, func(r *pipeline.Result) error {
		failed = failed || r.Report.Verdict == pipeline.Fail
		reports = append(reports, r.Report)
		r.Wipe()
		return nil
	})
	if err != nil {
		return complain(s.err, err)
	}
	if err := c.print(s, reports); err != nil {
		return fmt.Errorf("check: %w", err)
	}
	if failed {
		return exitError(exitRefused)
	}
	return nil
}

func (c CheckCmd) print(s *streams, reports []pipeline.Report) error {
	switch {
	case c.JSON && len(reports) == 1:
		return printJSON(s.out, reports[0])
	case c.JSON:
		return printJSON(s.out, reports)
	}
	for _, r := range reports {
		if err := printReport(s.out, r, ""); err != nil {
			return err
		}
	}
	return nil
}
