package central

import (
	"bytes"
	"context"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"html/template"
	"io/fs"
	"math"
	"net/http"
	"path"
	"strconv"
	"strings"
	"time"

	"github.com/yunzhao-station/yunzhao/sync/wire"
)

//go:embed pages
var pageFiles embed.FS

// pages are the parsed templates, the few static files, and the hash that a
// log-in with an unknown name is compared with.
type pages struct {
	templates map[string]*template.Template
	assets    http.Handler
	nobody    string
}

// loadPages parses the embedded pages once. Static files have the hash of all of
// them in their address, so that they may be cached for ever.
func loadPages() (*pages, error) {
	sub, err := fs.Sub(pageFiles, "pages")
	if err != nil {
		return nil, fmt.Errorf("central: pages: %w", err)
	}
	files, err := fs.ReadDir(sub, ".")
	if err != nil {
		return nil, fmt.Errorf("central: pages: %w", err)
	}
	static := map[string][]byte{}
	sum := sha256.New()
	var names []string
	for _, f := range files {
		switch path.Ext(f.Name()) {
		case ".css", ".js", ".svg":
			b, err := fs.ReadFile(sub, f.Name())
			if err != nil {
				return nil, fmt.Errorf("central: pages: %w", err)
			}
			static[f.Name()] = b
			sum.Write(b)
		case ".html":
			if f.Name() != "layout.html" {
				names = append(names, f.Name())
			}
		}
	}
	version := hex.EncodeToString(sum.Sum(nil))[:10]
	p := &pages{templates: map[string]*template.Template{}, nobody: hashPassword(randomToken())}
	funcs := template.FuncMap{
		"asset":   func(name string) string { return "/assets/" + version + "/" + name },
		"yuan":    yuan,
		"when":    when,
		"num":     num,
		"limits":  limits,
		"state":   stateText,
		"reason":  func(code string) string { zh, _ := reasonText(code); return zh },
		"flag":    flagText,
		"policy":  policyText,
		"payment": paymentText,
		"check":   checkText,
		"unit":    unit,
		"join":    strings.Join,
		"wait":    howLong,
		"short":   func(s string) string { return s[max(0, len(s)-6):] },
	}
	for _, name := range names {
		t, err := template.New(name).Funcs(funcs).ParseFS(sub, "layout.html", name)
		if err != nil {
			return nil, fmt.Errorf("central: page %s: %w", name, err)
		}
		p.templates[strings.TrimSuffix(name, ".html")] = t
	}
	p.assets = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		name := path.Base(r.URL.Path)
		b, ok := static[name]
		if !ok {
			http.NotFound(w, r)
			return
		}
		w.Header().Set("Content-Type", map[string]string{".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml"}[path.Ext(name)])
		// The address changes with the content.
		w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
		http.ServeContent(w, r, name, time.Time{}, bytes.NewReader(b))
	})
	return p, nil
}

// render writes a whole page or, when its template fails, an error: never half.
func (s *Server) render(w http.ResponseWriter, status int, page string, data any) {
	var b bytes.Buffer
	t, ok := s.pages.templates[page]
	if !ok {
		s.log.Error("no such page", "page", page)
		http.Error(w, "internal error", http.StatusInternalServerError)
		return
	}
	if err := t.ExecuteTemplate(&b, "page", data); err != nil {
		s.log.Error("render page", "page", page, "err", err)
		http.Error(w, "internal error", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	if _, err := b.WriteTo(w); err != nil {
		s.log.Debug("write page", "page", page, "err", err)
	}
}

// renderDone renders a page with what was done on it or what failed. f is the
// frame inside data.
func (s *Server) renderDone(w http.ResponseWriter, page string, data any, f *frame, done *bilingual, failed error) {
	f.Done = done
	status := s.tell(f, failed)
	s.render(w, status, page, data)
}

// picture decrypts one photo of a packet for actor and puts the view on record.
func (s *Server) picture(ctx context.Context, id, which, actor string) ([]byte, error) {
	c, _, err := s.openForView(ctx, id)
	if err != nil {
		return nil, err
	}
	if err := s.audit(ctx, actor, "photo.viewed", id, which); err != nil {
		return nil, err
	}
	if which == "original" {
		return c.Original, nil
	}
	return c.Portrait, nil
}

func (s *Server) writeJPEG(w http.ResponseWriter, b []byte) {
	w.Header().Set("Content-Type", "image/jpeg")
	w.Header().Set("Content-Length", strconv.Itoa(len(b)))
	if _, err := w.Write(b); err != nil {
		s.log.Debug("write picture", "err", err)
	}
}

func when(t time.Time) string {
	if t.IsZero() {
		return "—"
	}
	return t.Local().Format("2006-01-02 15:04")
}

// num shows a measured value with as many digits as help.
func num(v *float64) string {
	if v == nil {
		return "—"
	}
	if math.Trunc(*v) == *v && math.Abs(*v) < 1e9 {
		return strconv.FormatFloat(*v, 'f', 0, 64)
	}
	return strconv.FormatFloat(*v, 'g', 4, 64)
}

// unit leaves out what is a range and no unit.
func unit(u string) string {
	if u == "0–1" {
		return ""
	}
	return u
}

// limits shows the window that a value must lie in.
func limits(lo, hi *float64) string {
	switch {
	case lo != nil && hi != nil:
		return num(lo) + " – " + num(hi)
	case lo != nil:
		return "≥ " + num(lo)
	case hi != nil:
		return "≤ " + num(hi)
	}
	return ""
}

func stateText(s string) string {
	if t, ok := map[string]string{
		wire.VerdictInReview: "待审核", wire.VerdictApproved: "已通过", wire.VerdictRejected: "已退回", wire.VerdictConflict: "冲突",
		StateSuperseded: "已替代", string(StageDeclared): "上传中", string(StageStored): "已存储", string(StageRefused): "无法使用", string(StageErased): "已删除",
	}[s]; ok {
		return t
	}
	return s
}

func flagText(s string) string {
	if t, ok := map[string]string{
		FlagClaimMismatch: "手机与照片不是同一学生", FlagSimulated: "模拟相机", FlagSpec: "照片规格与批次不符", FlagRemoved: "已不在名单",
		FlagInfo: "学生反映信息有误", FlagPayment: "缴费待核对", FlagProvisional: "名单外临时登记，待中心决定",
		FlagCopied: "两台电脑共用站点密钥，编号重复", FlagForked: "站点的审计日志与以前的对不上",
	}[s]; ok {
		return t
	}
	return s
}

func policyText(p wire.Policy) string {
	if t, ok := map[wire.Policy]string{wire.PayNone: "学校承担", wire.PayBeforeCapture: "拍摄前缴费", wire.PayBeforeSubmit: "提交前缴费", wire.PayLater: "稍后缴费"}[p]; ok {
		return t
	}
	return string(p)
}

func paymentText(p wire.PaymentState) string {
	if t, ok := map[wire.PaymentState]string{
		wire.PaymentNone: "无需缴费", wire.PaymentUnpaid: "未缴费", wire.PaymentPaid: "已缴费",
		wire.PaymentDeferred: "缓缴", wire.PaymentWaived: "免缴", wire.PaymentRefunded: "已退款",
	}[p]; ok {
		return t
	}
	return string(p)
}

// checkText names the checks that stations are known to measure; another
// station's own checks keep their id.
func checkText(id string) string {
	if t, ok := map[string]string{
		"single_face": "单人", "roll": "头部倾斜", "yaw": "左右转头", "pitch": "俯仰", "gaze": "目光", "inter_eye_distance": "瞳距", "eye_line": "眼睛位置",
		"crown_margin": "头顶距离", "face_width": "脸宽", "centred": "居中", "half_body": "半身", "shoulders_level": "双肩齐平",
		"eyes_open": "睁眼", "mouth_closed": "闭唇", "expression": "表情", "ears_visible": "露耳", "forehead_visible": "露额",
		"glasses_tinted": "有色眼镜", "glasses_glare": "镜片反光", "headwear": "头饰", "accessories": "饰品",
		"clothing_not_background": "衣着与背景区分", "clothing_blue": "蓝色衣服", "clothing_plain": "衣着单色", "clothing_formal": "衣着得体",
		"makeup": "妆容", "contact_lenses": "美瞳", "background_uniform": "背景均匀", "background_shadow": "背景阴影",
		"subject_contrast": "人物与背景反差", "illumination_even": "光线均匀", "under_exposed": "欠曝", "over_exposed": "过曝",
		"luminance_mean": "亮度", "luminance_variance": "亮度变化", "dynamic_range": "动态范围", "natural_colour": "肤色自然",
		"already_captured": "已提交后重拍", "cutout": "抠图", "plate": "背景校准",
		"sharpness": "清晰度", "pixels": "像素尺寸", "dpi": "分辨率", "file_size": "文件大小",
	}[id]; ok {
		return t
	}
	return id
}
