package mysqldump

import "github.com/l4mysql/l4mysql/mysqlwire"

// argumentSize is what an argument takes beside its bytes, in bytes.
const argumentSize = 40

// open makes current the argument whose value comes now, or nil if it is not kept.
func (r *argumentReader) open() {
	switch {
	case r.i >= r.params:
		r.current = r.attr()
	case r.i < r.maxParams && r.args.rows < bulkRows && r.room >= argumentSize:
		r.room -= argumentSize
		r.args.params = append(r.args.params, argument{})
		r.current = &r.args.params[len(r.args.params)-1]
	default:
		r.current = nil
		r.args.cut = r.args.cut || r.id != mysqlwire.ComStmtBulkExecute || r.args.rows < bulkRows
	}
}

// done ends an argument that is nothing but its kind.
func (r *argumentReader) done(kind ValueKind) bool {
	r.open()
	if r.current != nil {
		r.current.kind = kind
	}
	r.advance()
	return true
}

// advance goes on to the next argument.
func (r *argumentReader) advance() {
	r.i++
	r.state = argValue
	if r.id == mysqlwire.ComStmtBulkExecute {
		r.state = argIndicator
		if r.i == r.total {
			r.i = 0
			r.args.rows++
		}
	}
}

// indicator takes the byte before a value of COM_STMT_BULK_EXECUTE.
func (r *argumentReader) indicator(b byte) bool {
	switch b {
	case indicatorNone:
		r.state = argValue
		return true
	case indicatorNull:
		return r.done(ValueNull)
	case indicatorDefault:
		return r.done(ValueDefault)
	case indicatorIgnore, indicatorIgnoreRow:
		return r.done(ValueIgnored)
	default:
		return r.lose()
	}
}

// value begins, and if it is not a string reads, the value of the next argument.
func (r *argumentReader) value() bool {
	bulk := r.id == mysqlwire.ComStmtBulkExecute
	switch {
	case r.i == r.total && r.id == mysqlwire.ComQuery:
		r.state = argText
		return false
	case r.i == r.total:
		r.state = argDone
		return false
	case r.i >= len(r.types)+r.forms.n, !bulk && r.stmt != nil && r.i >= r.maxParams && len(r.args.attrs) == 0:
		r.args.cut = true
		r.state = argDone // of COM_QUERY the text is not found
		return false
	}
	var t paramType
	if r.i < len(r.types) {
		t = r.types[r.i]
	} else {
		t = r.forms.at(r.i - len(r.types))
	}
	if !bulk {
		if r.stmt != nil && r.i < r.params {
			if l := r.stmt.longData(r.i); l != nil {
				r.long(t, l)
				return true
			}
		}
		if r.nulls[r.i/8]>>(r.i%8)&1 != 0 {
			return r.done(ValueNull)
		}
	}
	encoding, size := r.encoding(t.field())
	switch encoding {
	case mysqlwire.EncodingString:
		n, whole, valid := r.lenEnc()
		if !valid {
			return r.lose()
		}
		if whole {
			r.open()
			r.left = n
			r.begins(t, n)
			r.state = argString
		}
		return whole
	case mysqlwire.EncodingTemporal:
		first, ok := r.peek()
		if ok && first > mysqlwire.MaxTemporal {
			return r.lose()
		}
		if !ok {
			return false
		}
		b := r.next(1 + int(first))
		return b != nil && r.plain(t, b[1:])
	case mysqlwire.EncodingFixed:
		if size == 0 {
			return r.done(ValueNull)
		}
		b := r.next(size)
		return b != nil && r.plain(t, b)
	default:
		return r.lose()
	}
}

// plain takes the value b, which is not a string.
func (r *argumentReader) plain(t paramType, b []byte) bool {
	r.open()
	if a := r.current; a != nil {
		from := len(r.args.data)
		text, number, ok := mysqlwire.AppendValue(r.args.data, t.field(), t.unsigned(), b)
		if !ok {
			return r.lose()
		}
		r.args.data = text
		a.kind, a.value = ValueText, span{uint32(from), uint32(len(text))}
		a.length = uint64(len(text) - from)
		if number {
			a.kind = ValueNumber
		}
	}
	r.advance()
	return true
}

// begins fills in what is known of a string before its first byte.
func (r *argumentReader) begins(t paramType, length uint64) {
	if a := r.current; a != nil {
		end := uint32(len(r.args.data))
		a.kind, a.text, a.length, a.value = ValueBytes, t.field().IsText(), length, span{end, end}
		if a.text {
			a.kind = ValueText
		}
	}
}

// stringPart reads what has come of a string.
func (r *argumentReader) stringPart() bool {
	b := r.upTo(r.left)
	if a := r.current; a != nil {
		n := max(0, min(len(b), r.maxParam-int(a.value.to-a.value.from), r.room))
		a.value.to = r.args.keep(b[:n]).to
		r.room -= n
	}
	if r.left -= uint64(len(b)); r.left > 0 {
		return false
	}
	r.ended()
	r.advance()
	return true
}

// ended notes whether the string that is being read has been kept as a whole.
func (r *argumentReader) ended() {
	if a := r.current; a != nil && a.length > uint64(a.value.to-a.value.from) {
		a.cut, r.args.cut = true, true
	}
}

// long takes a value that has come by COM_STMT_SEND_LONG_DATA: it has no bytes here.
func (r *argumentReader) long(t paramType, l *longData) {
	r.open()
	r.begins(t, l.length)
	if a := r.current; a != nil {
		n := min(len(l.data), r.room)
		a.value.to = r.args.keep(l.data[:n]).to
		r.room -= n
	}
	r.ended()
	r.advance()
}
