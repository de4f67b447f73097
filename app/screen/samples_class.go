package screen

import (
	"fmt"

	"github.com/yunzhao-station/yunzhao/app/booth"
)

// sampleClass is a class that is called half-way.
func sampleClass(crowded bool) *booth.ClassView {
	v := &booth.ClassView{
		Open:   &booth.ClassLine{ID: booth.ClassID{BatchID: "b", College: "信息学院", Class: "2026 级 1 班"}, Batch: "2026 新生学籍照", Done: 3, Total: 8},
		Absent: 1, Next: 5,
	}
	names := []string{"陈*", "买**·艾**", "李*华", "王*", "赵*雨", "张*明", "周*", "吴*霞"}
	states := []string{booth.ClassDone, booth.ClassDone, booth.ClassAbsent, booth.ClassDone, booth.ClassSkipped, booth.ClassWaiting, booth.ClassRetake, booth.ClassWaiting}
	for i, n := range names {
		v.Rows = append(v.Rows, booth.ClassRow{BatchID: "b", Ref: fmt.Sprint("r", i), NameMasked: n, NumberTail: fmt.Sprintf("%03dX", 101+i), StudentNo: "20********0" + fmt.Sprint(i), State: states[i]})
	}
	if crowded {
		v.Open.ID.College, v.Open.ID.Class = longSchool, "2026 级数据科学与大数据技术（中外合作）3 班"
		v.Open.Done, v.Open.Total, v.Absent = 1234, 2345, 111
		for i := range 60 {
			v.Rows = append(v.Rows, booth.ClassRow{BatchID: "b", Ref: fmt.Sprint("more", i), NameMasked: "古**************江", NumberTail: "002X", StudentNo: "20****************07", State: booth.ClassSkipped})
		}
		v.Rows[5].Name = "古丽努尔·阿不都热西提·买买提江"
	}
	return v
}

// classSamples are the class list in its three parts, and the welcome screen while
// a class is called.
func classSamples(crowded bool, idle booth.View, op booth.OperatorView) []Sample {
	var list []Sample
	add := func(name string, c *booth.ClassView) {
		v, o := idle, op
		o.Page, o.Class, o.Notice = booth.PageClass, c, nil
		v.Operator = &o
		list = append(list, Sample{name, v})
	}
	classes := &booth.ClassView{Next: -1}
	for i, c := range []string{"1 班", "2 班", "3 班", ""} {
		classes.Classes = append(classes.Classes, booth.ClassLine{ID: booth.ClassID{BatchID: "b", College: "信息学院", Class: c}, Batch: "2026 新生学籍照", Done: 45 - 15*i, Total: 45})
	}
	if crowded {
		for range 30 {
			classes.Classes = append(classes.Classes, booth.ClassLine{ID: booth.ClassID{BatchID: "b", College: longSchool, Class: "2026 级大数据技术 3 班"}, Batch: longBatch, Done: 1234, Total: 2345})
		}
	}
	add("47-classes", classes)
	add("48-class", sampleClass(crowded))
	found := sampleClass(crowded)
	found.Open, found.Next, found.Query = nil, -1, "zjm"
	found.Rows = found.Rows[5:6]
	found.Rows[0].Class = "信息学院 2026 级 1 班"
	if crowded {
		found.Query, found.Rows[0].Name = "abdwrxtmmtjabdwrxtmmtjabdwrxtm", ""
	}
	add("49-class-find", found)
	student := idle
	student.SessionID, student.State = "sample", booth.Identify
	{
		o := op
		o.Page, o.Notice = booth.PageAdd, nil
		o.Add = &booth.AddView{Number: "11010519491231002X", Doc: booth.DocResident, Batches: []booth.AddBatch{{ID: "b", Title: "2026 新生学籍照", School: "云海大学"}}}
		if crowded {
			o.Add.Number = "WWWWWWWWWWWWWWWWWWWWWWWWWWWWWW"
			o.Add.Batches[0] = booth.AddBatch{ID: "b", Title: longBatch, School: longSchool}
			o.Add.Alike, o.Add.Problem = true, &booth.Text{
				ZH: "名单里有同名的学生，证件尾号 002X、1234、5678。如果就是这位，请返回核对号码；确实不是，再按一次登记。",
				EN: "The list has somebody of this name, ID ending 002X, 1234, 5678. If it is them, go back and check the number; if not, press once more.",
			}
		}
		student.Operator = &o
		list = append(list, Sample{"50-add", student})
	}
	v := idle
	v.Class = &booth.NextView{NameMasked: "张*明", NumberTail: "106X", Class: "2026 级 1 班", Done: 3, Total: 8}
	if crowded {
		v.Class.NameMasked, v.Class.Class, v.Class.Done, v.Class.Total = "古**************江", "2026 级数据科学与大数据技术（中外合作）3 班", 1234, 2345
	}
	return append(list, Sample{"01-idle-class", v})
}
