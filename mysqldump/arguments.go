package mysqldump

// arguments are the binary values of a command: the parameters of a prepared statement, and query
// attributes. They are kept in memory that is used again.
type arguments struct {
	params []argument
	attrs  []argument
	data   []byte // what the spans of both point into
	rows   uint64 // of parameters, of COM_STMT_BULK_EXECUTE
	width  int    // parameters that are kept of each of these rows
	cut    bool   // values are left out
	lost   bool   // all of them, because they could not be read
	late   bool   // data is the undecoded payload, because the statement was not known yet
}

type argument struct {
	kind   ValueKind
	text   bool // in the client's character set
	cut    bool
	name   span
	value  span
	length uint64
}

// A span is a part of [arguments].data.
type span struct{ from, to uint32 }

func (a *arguments) reset() {
	a.params, a.attrs, a.data = a.params[:0], a.attrs[:0], a.data[:0]
	a.rows, a.width, a.cut, a.lost, a.late = 0, 0, false, false, false
}

// lose forgets what has been read, because it cannot be what the protocol has there.
func (a *arguments) lose() {
	a.reset()
	a.cut, a.lost = true, true
}

func (a *arguments) keep(b []byte) span {
	from := uint32(len(a.data))
	a.data = append(a.data, b...)
	return span{from, uint32(len(a.data))}
}

func (a *arguments) bytes(s span) []byte { return a.data[s.from:s.to:s.to] }
