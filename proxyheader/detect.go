package proxyheader

const (
	sigV1 = "PROXY"                    // section 2.1
	sigV2 = "\r\n\r\n\x00\r\nQUIT\x0a" // section 2.2
)

// Presence says whether bytes begin with a header's signature.
type Presence uint8

// What [Detect] answers.
const (
	Absent   Presence = iota // no further byte can make them begin with a signature
	Possible                 // they are a proper prefix of a signature, or empty
	Present                  // they begin with "PROXY" or with version 2's 12 bytes
)

// String returns the constant's name in lower case.
func (p Presence) String() string {
	switch p {
	case Absent:
		return "absent"
	case Possible:
		return "possible"
	case Present:
		return "present"
	}
	return "Presence(?)"
}

// Detect looks for a signature at the start of b. It answers [Absent] exactly where [Parse] answers
// [ErrNone], and [Possible] only where Parse answers [ErrShort].
//
// "PROXY" counts without the space that must follow it: no stricter, because some receivers are laxer
// (MariaDB reads PROXYTCP4 as a header), and what they would take for a second header must be seen here.
func Detect(b []byte) Presence {
	if len(b) == 0 {
		return Possible
	}
	sig := sigV1
	if b[0] == sigV2[0] {
		sig = sigV2
	}
	n := min(len(b), len(sig))
	switch {
	case string(b[:n]) != sig[:n]:
		return Absent
	case n < len(sig):
		return Possible
	}
	return Present
}
