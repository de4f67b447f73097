package central

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	bolt "go.etcd.io/bbolt"

	"github.com/yunzhao-station/yunzhao/sync/wire"
)

// The demonstration's batches and reviewer.
const (
	DemoBatchPaid = "demo-a" // students pay before submitting
	DemoBatchFree = "demo-b" // the school pays
	demoReviewer  = "demo"
)

// DemoInfo is what somebody needs to walk through the demonstration.
type DemoInfo struct {
	BatchID          string // the batch with a fee
	EnrolCode        string // CODE.FINGERPRINT, for one station
	ReviewerUser     string
	ReviewerPassword string
	Students         []wire.Student // of both batches
}

// ErrNotDemo refuses to mix invented students with real ones.
var ErrNotDemo = errors.New("central: this directory holds real batches; the demonstration needs an empty one")

// SeedDemo fills an empty directory with two batches of students who do not
// exist. Students and batches are the same at every call; the enrolment code
// and the reviewer's password are new each time.
func (s *Server) SeedDemo(ctx context.Context) (DemoInfo, error) {
	batches := s.demoBatches()
	students := demoStudents()
	err := s.update(ctx, func(tx *bolt.Tx) error {
		all, err := list[wire.Batch](tx, bktBatches)
		if err != nil {
			return err
		}
		for _, b := range all {
			if b.ID != DemoBatchPaid && b.ID != DemoBatchFree {
				return ErrNotDemo
			}
		}
		for _, b := range batches {
			if err := validateBatch(b); err != nil {
				return err
			}
			if tx.Bucket(bktBatches).Get([]byte(b.ID)) != nil {
				continue // a visitor may have changed it
			}
			if err := putJSON(tx, bktBatches, []byte(b.ID), b); err != nil {
				return err
			}
			var of []wire.Student
			for _, st := range students {
				if st.Batch == b.ID {
					of = append(of, st)
				}
			}
			if _, _, _, err := s.mergeStudents(tx, b.ID, of); err != nil {
				return err
			}
			if err := appendAudit(tx, s.now(), "system", "demo.seeded", b.ID, fmt.Sprintf("%d students", len(of))); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return DemoInfo{}, fmt.Errorf("central: seed the demonstration: %w", err)
	}
	info := DemoInfo{BatchID: DemoBatchPaid, ReviewerUser: demoReviewer, ReviewerPassword: shortID(12)}
	if err := s.PutUser(ctx, info.ReviewerUser, info.ReviewerPassword, []string{RoleAdmin, RoleReviewer}, nil, "system"); err != nil {
		return DemoInfo{}, err
	}
	if info.EnrolCode, err = s.NewCode(ctx, []string{DemoBatchPaid, DemoBatchFree}, DefaultCodeTTL, "system"); err != nil {
		return DemoInfo{}, err
	}
	for _, b := range batches {
		of, err := s.Students(ctx, b.ID)
		if err != nil {
			return DemoInfo{}, err
		}
		info.Students = append(info.Students, of...)
	}
	return info, nil
}

// AddDemoStudents puts n more invented students on the demonstration's list
// without a fee, through the same import as a school's own file, and returns
// them. At most 599 numbers are left on their day of birth.
func (s *Server) AddDemoStudents(ctx context.Context, n int) ([]wire.Student, error) {
	const first, last = 400, 999 // demoStudents uses lower ones
	if n < 0 || n > last-first {
		return nil, fmt.Errorf("%w: %d more demonstration students, at most %d", ErrInvalid, n, last-first)
	}
	var file strings.Builder
	file.WriteString("姓名,证件号码,层次,专业\n")
	born := time.Date(2002, 2, 2, 0, 0, 0, 0, time.UTC)
	numbers := map[string]bool{}
	for i := range n {
		number := residentNumber(born, first+i)
		numbers[number] = true
		fmt.Fprintf(&file, "测试丙%03d,%s,本科,会计学\n", i+1, number)
	}
	if _, err := s.ImportRoster(ctx, DemoBatchFree, []byte(file.String()), "system"); err != nil {
		return nil, fmt.Errorf("central: more demonstration students: %w", err)
	}
	all, err := s.Students(ctx, DemoBatchFree)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(all, func(st wire.Student) bool { return !numbers[st.IDNumber] }), nil
}

func (s *Server) demoBatches() []wire.Batch {
	day := s.now().UTC().Truncate(24 * time.Hour)
	base := wire.Batch{
		School: "演示大学", Spec: "chsi", Opens: day.AddDate(0, 0, -7), Closes: day.AddDate(0, 3, 0), ReviewDays: 2,
		Contact: "演示客服 400-000-0000（演示）", RetainDays: 30, ConsentVer: "demo-1",
		ConsentZH: "本次拍摄的照片仅用于学籍与学历证书电子注册。照片在本机加密保存，上传至学校指定的审核中心，审核通过后不可更改。您可以在提交之前随时退出，退出后本机不保留任何照片。",
		ConsentEN: "The photo taken here is used for the electronic registration of your student record and certificate only. It is stored encrypted, sent to the review centre your school has chosen, and cannot be changed after approval. You may leave at any time before submitting; nothing is kept then.",
	}
	a, b := base, base
	a.ID, a.Title, a.Policy, a.PriceFen = DemoBatchPaid, "演示批次甲·新生学籍照片采集", wire.PayBeforeSubmit, 2500
	a.CoversZH = "费用包含现场拍摄、证件照标准化处理、人工审核与一年内电子照片下载。"
	a.CoversEN = "Covers the photo session, the standardised portrait, the review and one year of downloads."
	b.ID, b.Title, b.Policy = DemoBatchFree, "演示批次乙·毕业生学历照片采集", wire.PayNone
	return []wire.Batch{a, b}
}

// demoArea is a region code that the standard has never given out, so that no
// demonstration number can belong to anyone; 37 keeps the shape of a province.
const demoArea = "370899"

// demoStudents invents everybody. The names say so, the numbers pass the
// checksum and nothing more.
func demoStudents() []wire.Student {
	numerals := []string{"一", "二", "三", "四", "五", "六", "七", "八", "九", "十"}
	majors := []string{"计算机科学与技术", "汉语言文学", "机械工程", "临床医学", "会计学"}
	colleges := []string{"信息学院", "人文学院"}
	row := func(batch string, n int, name string, kind wire.IDType, number, level string) wire.Student {
		pay := wire.PaymentUnpaid
		if batch == DemoBatchFree {
			pay = wire.PaymentNone
		}
		return wire.Student{
			Ref: fmt.Sprintf("%s-%03d", batch, n), Batch: batch, Name: name, IDType: kind, IDNumber: number,
			StudentNo: fmt.Sprintf("2026%s%04d", map[string]string{DemoBatchPaid: "01", DemoBatchFree: "02"}[batch], n),
			School:    "演示大学", Level: level, Major: majors[n%len(majors)], Payment: pay,
			College: colleges[n%len(majors)%len(colleges)], Class: fmt.Sprintf("%d 班", 1+n%2),
		}
	}
	var out []wire.Student
	for i, stem := range []string{"甲", "乙"} {
		batch := []string{DemoBatchPaid, DemoBatchFree}[i]
		for n := 1; n <= 18; n++ {
			num := numerals[(n-1)%10]
			if n > 10 {
				num = "十" + num
			}
			// Born on consecutive days of a year, so that numbers differ early.
			born := time.Date(2007-4*i, time.Month(1+n%12), 1+n, 0, 0, 0, 0, time.UTC)
			out = append(out, row(batch, n, "测试"+stem+num, wire.IDResident, residentNumber(born, 100+n), "本科"))
		}
	}
	twice := residentNumber(time.Date(2003, 5, 20, 0, 0, 0, 0, time.UTC), 301)
	return append(out,
		row(DemoBatchPaid, 101, "演示港生", wire.IDHMT, "H01234567", "本科"),
		row(DemoBatchPaid, 102, "DEMO STUDENT", wire.IDPassport, "ED0000017", "硕士"),
		row(DemoBatchPaid, 103, "测试古丽·演示买买提", wire.IDResident, residentNumber(time.Date(2006, 9, 9, 0, 0, 0, 0, time.UTC), 302), "本科"),
		row(DemoBatchPaid, 104, "演示双录", wire.IDResident, twice, "本科"),
		row(DemoBatchPaid, 105, "演示双录", wire.IDResident, twice, "硕士"),
	)
}

// residentNumber is a number of demoArea with the check digit of GB 11643-1999.
func residentNumber(born time.Time, seq int) string {
	body := fmt.Sprintf("%s%s%03d", demoArea, born.Format("20060102"), seq%1000)
	weights := [17]int{7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2}
	sum := 0
	for i, w := range weights {
		sum += int(body[i]-'0') * w
	}
	return body + string("10X98765432"[sum%11])
}
