package claim

import "errors"

// base45Alphabet is that of QR's alphanumeric mode (RFC 9285, table 1), in
// which a code holds 5.5 bits a character instead of 8.
const base45Alphabet = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:"

var errBase45 = errors.New("claim: not base45")

// encodeBase45 writes b as RFC 9285 does: two bytes as three characters, least
// significant first, and a last single byte as two.
func encodeBase45(b []byte) string {
	out := make([]byte, 0, (len(b)+1)/2*3)
	for ; len(b) >= 2; b = b[2:] {
		n := int(b[0])<<8 | int(b[1])
		out = append(out, base45Alphabet[n%45], base45Alphabet[n/45%45], base45Alphabet[n/(45*45)])
	}
	if len(b) == 1 {
		out = append(out, base45Alphabet[b[0]%45], base45Alphabet[b[0]/45])
	}
	return string(out)
}

// decodeBase45 reads what encodeBase45 writes, and nothing else: every value
// has one spelling.
func decodeBase45(s string) ([]byte, error) {
	if len(s)%3 == 1 {
		return nil, errBase45
	}
	out := make([]byte, 0, len(s)/3*2+1)
	for len(s) > 0 {
		size := min(3, len(s))
		n, weight := 0, 1
		for i := range size {
			d := base45Digit(s[i])
			if d < 0 {
				return nil, errBase45
			}
			n += d * weight
			weight *= 45
		}
		switch {
		case size == 3 && n <= 0xFFFF:
			out = append(out, byte(n>>8), byte(n))
		case size == 2 && n <= 0xFF:
			out = append(out, byte(n))
		default:
			return nil, errBase45
		}
		s = s[size:]
	}
	return out, nil
}

func base45Digit(c byte) int {
	for i := range len(base45Alphabet) {
		if base45Alphabet[i] == c {
			return i
		}
	}
	return -1
}
