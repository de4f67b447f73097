package station

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/yunzhao-station/yunzhao/app/booth"
	"github.com/yunzhao-station/yunzhao/sync/outbox"
	"github.com/yunzhao-station/yunzhao/sync/uplink"
	"github.com/yunzhao-station/yunzhao/sync/wire"
)

// maxQueueRows are shown of the queue; more than a screen of them says no more.
const maxQueueRows = 60

// showPage answers the turn to one of the staff's pages. The worklist is in
// every view; only the queue and the day have to be counted.
func (s *Station) showPage(p booth.StaffPage) {
	switch p {
	case booth.PageSync:
		st := s.p.Uplink.Status()
		s.refreshSync(centralLamp(st), st)
	case booth.PageDay:
		s.refreshDay()
	case booth.PageFind:
		s.lookToday(booth.LookToday{})
	case booth.PageSettings:
		s.showSettings()
	case booth.PageAdd:
		s.listAdd()
	case booth.PageClass:
		s.listClass("")
	}
}

// refreshSync brings the page about the queue up to date. It is counted beside
// the loop: there may be many packets.
func (s *Station) refreshSync(lamp booth.Lamp, st uplink.Status) {
	s.work.Go(func() {
		s.inputs <- booth.SyncChanged{Sync: syncView(lamp, st, s.p.Outbox.List(), time.Now())}
	})
}

// syncView puts how the exchange with central stands into words.
func syncView(lamp booth.Lamp, st uplink.Status, entries []outbox.Entry, now time.Time) booth.SyncView {
	v := booth.SyncView{Lamp: lamp, Heard: booth.Text{ZH: "启动后还没有收到中心的签名应答", EN: "No signed answer from central since the start"}}
	if !st.LastHeard.IsZero() {
		t := ago(now.Sub(st.LastHeard))
		v.Heard = booth.Text{ZH: "中心的签名应答：" + t.ZH, EN: "Central's signed answer: " + t.EN}
	}
	var queue []outbox.Entry
	stored, opened := 0, 0
	for i := range entries {
		e := &entries[i]
		switch e.State {
		case outbox.Saved:
			v.Pending++
			v.Bytes += e.Size
			if v.Oldest.IsZero() || e.SavedAt.Before(v.Oldest) {
				v.Oldest = e.SavedAt
			}
			queue = append(queue, *e)
		case outbox.Refused:
			queue = append(queue, *e)
		case outbox.Stored:
			stored++
		case outbox.Opened, outbox.Purged:
			opened++
		}
	}
	v.Delivery = booth.Text{
		ZH: fmt.Sprintf("中心已签收 %d 份，其中 %d 份已打开核验", stored+opened, opened),
		EN: fmt.Sprintf("Central has signed for %d, and opened %d of them", stored+opened, opened),
	}
	v.Failing = st.LastErr != "" || st.Problem != ""
	v.LastErr = syncProblem(st)
	// What a person has to see to comes first, then what is oldest.
	slices.SortStableFunc(queue, func(a, b outbox.Entry) int {
		return cmp.Or(cmp.Compare(rank(a), rank(b)), a.SavedAt.Compare(b.SavedAt))
	})
	for _, e := range queue[:min(len(queue), maxQueueRows)] {
		state, level := packetWords(e, now)
		v.Queue = append(v.Queue, booth.QueueRow{ID: shortID(e.ID), Saved: e.SavedAt, Bytes: e.Size, State: state, Level: level})
	}
	return v
}

func rank(e outbox.Entry) int {
	switch {
	case e.Fault != "" || e.State == outbox.Refused:
		return 0
	case e.Attempts > 0:
		return 1
	}
	return 2
}

// syncProblem says why the last exchange failed and what to do about it; empty
// when it did not.
func syncProblem(st uplink.Status) booth.Text {
	switch st.Problem {
	case "":
	case wire.CodeRevoked, wire.CodeUnknownStation:
		return booth.Text{ZH: "中心已停用本机。照片都安全，请联系审核中心重新启用。", EN: "Central has revoked this station. All photos are safe; ask central to admit it again."}
	case uplink.ProblemCopied:
		return booth.Text{ZH: "有两台电脑在用本机的站点密钥（数据目录被复制过）。照片都会保留。请马上联系审核中心：查明后吊销，正当的一台重新注册。代码 " + uplink.ProblemCopied, EN: "Two computers use this station's key: its data were copied. All photos are kept. Call central now: revoke the station, then enrol the right one anew. Code " + uplink.ProblemCopied}
	case uplink.ProblemForked:
		return booth.Text{ZH: "中心发现本机的审计日志与以前传来的对不上（被改过、截短、重建或复制过）。照片都会保留，可以继续拍照。请联系审核中心。代码 " + uplink.ProblemForked, EN: "Central finds that this station's audit log is not the one of before: changed, cut short, begun anew or copied. All photos are kept and you may go on. Call central. Code " + uplink.ProblemForked}
	case wire.CodeClock:
		return booth.Text{ZH: "本机时钟与中心相差太多，中心不接受。请校准时钟。", EN: "This station's clock is too far from central's. Set the clock."}
	case wire.CodeSignature:
		return booth.Text{ZH: "中心不认本机的签名。请联系技术支持，核对本机登记。", EN: "Central does not accept this station's signature. Have technical support check its enrolment."}
	case uplink.ProblemPin:
		return booth.Text{ZH: "中心的证书与设置不符，可能换了证书，也可能不是中心。请联系技术支持。", EN: "Central's certificate is not the one in the settings: it was renewed, or this is not central. Call technical support."}
	default:
		return booth.Text{ZH: "中心拒绝了本机的请求（" + st.Problem + "）。请联系技术支持。", EN: "Central refuses this station's requests (" + st.Problem + "). Call technical support."}
	}
	switch {
	case st.LastErr == "":
		return booth.Text{}
	case st.Online:
		return booth.Text{ZH: "中心在线，但本机有一步没有做成，会自动重试；若一直如此，请联系技术支持。", EN: "Central is there, but a step failed on this station. It is tried again; call technical support if it stays."}
	case strings.Contains(st.LastErr, uplink.ErrStalled.Error()):
		return booth.Text{ZH: "网络很慢，连接中断了，会从断点继续。", EN: "The network is slow and the connection stalled; sending goes on from there."}
	case strings.Contains(st.LastErr, uplink.ErrNotCentral.Error()):
		return booth.Text{ZH: "应答的不是审核中心，可能是上网认证页。请在本机的网络上登录认证。", EN: "Something else answered than central, perhaps a log-in page of the network. Log this machine in to the network."}
	case strings.Contains(st.LastErr, uplink.ErrConnection.Error()):
		return booth.Text{ZH: "连不上审核中心。请检查网线或无线网络；照片都安全，连上后自动继续。", EN: "Central cannot be reached. Check the cable or the wireless network; all photos are safe and go by themselves."}
	}
	return booth.Text{ZH: "中心暂时不接受请求，会自动重试。", EN: "Central takes no requests for now; they are tried again."}
}

// packetWords says how a packet of the queue stands.
func packetWords(e outbox.Entry, now time.Time) (booth.Text, booth.Level) {
	switch {
	case e.Fault != "":
		return booth.Text{ZH: "本机文件有问题，请联系技术支持", EN: "Its file here is damaged: call technical support"}, booth.Bad
	case e.State == outbox.Refused:
		return booth.Text{ZH: "中心不能使用（" + e.Reason + "），请重拍并上报", EN: "Central cannot use it (" + e.Reason + "): take it again and report it"}, booth.Bad
	case e.Attempts == 0:
		return booth.Text{ZH: "等待发送", EN: "Waiting to be sent"}, booth.Note
	}
	t := booth.Text{ZH: fmt.Sprintf("试过 %d 次", e.Attempts), EN: fmt.Sprintf("Tried %d times", e.Attempts)}
	if wait := e.Next.Sub(now); wait > time.Minute {
		t.ZH += fmt.Sprintf("，%d 分钟后再试", int(wait.Minutes()))
		t.EN += fmt.Sprintf(", again in %d min", int(wait.Minutes()))
	}
	return t, booth.Warn
}
