package cli

import (
	"crypto/tls"
	"errors"
	"fmt"

	"github.com/yunzhao-station/yunzhao/sync/keys"
	"github.com/yunzhao-station/yunzhao/sync/uplink"
	"github.com/yunzhao-station/yunzhao/sync/wire"
)

const (
	wordsPin        = "中心的证书与设置里的指纹（central.pin_sha256）不符：请核对地址，或向审核中心要新的指纹 / the server's certificate is not the one in the settings (central.pin_sha256): check the address, or ask central for the new fingerprint"
	wordsDistrusted = "对方的证书不受信任：可能是上网认证页、地址或本机时间有误，或者本机没有装中心的根证书 / the server's certificate is not trusted: perhaps a log-in page of the network, a wrong address or clock, or central's root certificate is not installed here"
)

// copiedWords is said where central found two computers with this station's key.
const copiedWords = "有两台电脑在用本机的站点密钥，照片都会保留；请联系审核中心：查明后吊销，正当的一台重新注册（station_copied） / two computers use this station's key; all photos are kept: call central, which revokes the station and enrols the right one anew"

// forkedWords is said where central found another audit log than before.
const forkedWords = "中心发现本机的审计日志与以前传来的对不上，照片都会保留；请联系审核中心（audit_forked） / this station's audit log is not the one that central knows from before; all photos are kept: call central"

// alarmWords are what a problem has to say that stops nothing; "" for the others.
func alarmWords(problem string) string {
	switch problem {
	case uplink.ProblemCopied:
		return copiedWords
	case uplink.ProblemForked:
		return forkedWords
	}
	return ""
}

// distrusted: somebody answered whose certificate no authority vouches for.
func distrusted(err error) bool {
	var unverified *tls.CertificateVerificationError
	return errors.As(err, &unverified)
}

// centralWords says in one sentence why an exchange with central failed and what
// to do about it.
func centralWords(err error) string {
	var refused *uplink.RefusedError
	switch {
	case errors.Is(err, uplink.ErrPin):
		return wordsPin
	case distrusted(err):
		return wordsDistrusted
	case errors.Is(err, uplink.ErrNotCentral):
		return "应答的不是审核中心，可能是上网认证页或地址有误 / what answered is not this station's central: perhaps a log-in page of the network, or a wrong address"
	case errors.As(err, &refused) && (refused.Code == wire.CodeRevoked || refused.Code == wire.CodeUnknownStation):
		return "中心已停用本机，照片都在本机，请联系审核中心 / central has revoked this station; all photos are still here"
	case errors.As(err, &refused) && refused.Code == wire.CodeClock:
		return "本机时钟与中心相差太多，请校时 / this station's clock is too far from central's: set it"
	case errors.As(err, &refused):
		return fmt.Sprintf("中心没有接受，稍后再试 / central did not accept, try again later (%d %s)", refused.Status, refused.Code)
	case errors.Is(err, uplink.ErrStalled), errors.Is(err, uplink.ErrConnection):
		return "连不上审核中心，请检查地址和网络；照片都在本机 / central cannot be reached: check the address and the network; all photos are still here"
	}
	return err.Error()
}

// enrolWords is centralWords for a station that is not known yet.
func enrolWords(err error) error {
	var refused *uplink.RefusedError
	switch {
	case errors.As(err, &refused) && refused.Code != "":
		return fmt.Errorf("审核中心拒绝了登记码：可能已用过、过期或输错，请要一个新的 / central refused the code: used, expired or mistyped; ask for a new one (%s)", refused.Code)
	case errors.As(err, &refused):
		return fmt.Errorf("审核中心暂时不能登记，请稍后再试 / central cannot enrol anybody for now, try again later (%d)", refused.Status)
	case errors.Is(err, uplink.ErrPin):
		return errors.New(wordsPin)
	case distrusted(err):
		return errors.New(wordsDistrusted)
	case errors.Is(err, keys.ErrEnrolled):
		return fmt.Errorf("本机已登记在另一个中心，未传的照片只能交给它 / this station is enrolled with another central, which alone can take its photos: %w", err)
	case errors.Is(err, uplink.ErrNotCentral):
		return errors.New("应答的不是登记码所指的审核中心：请核对地址和网络 / what answered is not the central of this code: check the address and the network")
	case errors.Is(err, uplink.ErrConnection), errors.Is(err, uplink.ErrStalled):
		return errors.New("连不上审核中心：请检查地址和网络 / central cannot be reached: check the address and the network")
	}
	return fmt.Errorf("登记没有成功 / enrolment failed: %w", err)
}
