package mysqldump

import (
	"encoding/binary"

	"github.com/l4mysql/l4mysql/mysqlwire"
)

// argState is what an [argumentReader] reads next.
//
//	COM_QUERY:             count --> sets --> nulls --> bound --> types --> values --> text
//	COM_STMT_EXECUTE:      header --> count --> nulls --> bound --> types --> values --> done
//	COM_STMT_BULK_EXECUTE: header --> types --> indicator <--> value
type argState uint8

const (
	argHeader argState = iota
	argCount
	argSets
	argNulls
	argBound
	argType
	argName
	argNameText
	argIndicator
	argValue
	argString
	argText // what is left is the text of COM_QUERY
	argLate // the payload is kept as it is
	argDone // what is left is of no interest
)

// Flags of COM_STMT_EXECUTE and COM_STMT_BULK_EXECUTE.
const (
	flagParameterCount = 0x08 // PARAMETER_COUNT_AVAILABLE
	flagBulkTypes      = 0x80 // STMT_BULK_FLAG_CLIENT_SEND_TYPES
)

// The indicators before the values of COM_STMT_BULK_EXECUTE.
const (
	indicatorNone      = 0
	indicatorNull      = 1
	indicatorDefault   = 2
	indicatorIgnore    = 3
	indicatorIgnoreRow = 4
)

const (
	maxTypes      = 1024    // types that are remembered
	maxName       = 256     // bytes that are kept of a query attribute's name
	maxLate       = 4 << 10 // bytes that are kept of a payload that can be decoded only later
	mostArguments = 65535   // parameters and attributes of a command; MySQL refuses more
	bulkRows      = 4       // rows of COM_STMT_BULK_EXECUTE whose values are kept
)

// An argumentReader decodes the arguments of one command, whose payload comes in pieces.
type argumentReader struct {
	pieces
	maxParams, maxParam int // see Options
	caps                mysqlwire.Capability
	find                func(id uint32) (st *statement, late bool) // late: it is being prepared

	state    argState
	id       mysqlwire.Command
	args     *arguments
	stmt     *statement
	room     int       // bytes of values that may still be kept
	current  *argument // being read; nil if it is not kept
	params   int       // parameters of the statement
	total    int       // these and the query attributes
	i        int       // which of them is being read
	left     uint64    // bytes of the field being read that are still to come
	consumed uint64    // bytes before the text
	begun    bool      // the command's first byte was left out
	types    []paramType
	forms    formList // of the attributes behind those whose types are kept
	nulls    []byte   // the NULL bitmap
}

// A paramType is the type of a parameter: a FieldType, and flags in the upper byte.
type paramType uint16

func (t paramType) field() mysqlwire.FieldType { return mysqlwire.FieldType(t) }
func (t paramType) unsigned() bool             { return t>>8&mysqlwire.UnsignedParam != 0 }

// begin prepares r for the payload, without its command byte, of a command. What it decodes goes to args,
// at most room bytes of it.
func (r *argumentReader) begin(id mysqlwire.Command, args *arguments, room int) {
	args.reset()
	r.id, r.args, r.room, r.stmt, r.current = id, args, room, nil, nil
	r.p, r.held, r.types, r.nulls, r.forms = nil, r.held[:0], r.types[:0], r.nulls[:0], formList{}
	r.params, r.total, r.i, r.left, r.consumed, r.begun = 0, 0, 0, 0, 0, false
	r.state = argHeader
	if id == mysqlwire.ComQuery {
		r.state = argCount
	}
}

// prefix returns how many bytes of the payload, with the command byte, are to be kept beside what r reads.
func (r *argumentReader) prefix() int {
	if r.id == mysqlwire.ComQuery {
		return 1
	}
	return 1 + 4 // and the statement's id
}

// feed takes the next piece of the payload and returns what of it is the text.
func (r *argumentReader) feed(p []byte) (text []byte) {
	r.p = p
	for r.state < argText {
		if !r.step() {
			break
		}
	}
	rest := r.p
	r.p = nil // it is the caller's
	switch r.state {
	case argText:
		r.consumed += uint64(len(p) - len(rest))
		return rest
	case argLate:
		r.args.keep(rest[:max(0, min(len(rest), min(maxLate, r.room)-len(r.args.data)))])
	default:
		r.consumed += uint64(len(p))
	}
	return nil
}

// end tells that the payload is complete, or that no more of it will come. It reports whether the text was
// found.
func (r *argumentReader) end() (found bool) {
	switch {
	case r.state < argIndicator, r.state < argText && r.id == mysqlwire.ComQuery:
		r.lose() // what looks like the value of an attribute may be the text
	case r.state < argText && (r.state != argIndicator || r.i > 0):
		r.args.cut = true
		r.ended()
	}
	found = r.state == argText
	r.args, r.stmt, r.current, r.p, r.forms = nil, nil, nil, nil, formList{}
	if cap(r.nulls) > maxTypes/8 {
		r.nulls = nil
	}
	return found
}

// lose gives up: the payload is not what the protocol has here, or its meaning is not known.
func (r *argumentReader) lose() bool {
	r.args.lose()
	r.state = argDone
	return false
}

// step reads one field, or what of it has come. It reports whether to go on.
func (r *argumentReader) step() bool {
	switch r.state {
	case argHeader:
		return r.header()
	case argCount, argSets, argName:
		n, whole, valid := r.lenEnc()
		if !valid {
			return r.lose()
		}
		return whole && r.number(n)
	case argNulls:
		b := r.upTo(r.left)
		r.nulls = append(r.nulls, b...)
		if r.left -= uint64(len(b)); r.left > 0 {
			return false
		}
		r.state = argBound
	case argBound:
		b := r.next(1)
		return b != nil && r.bound(b[0])
	case argType:
		b := r.next(2)
		if b == nil {
			return false
		}
		if len(r.types) < maxTypes {
			r.types = append(r.types, paramType(binary.LittleEndian.Uint16(b)))
			r.newAttr()
		} else if r.id == mysqlwire.ComQuery {
			r.forms.add(r.form(mysqlwire.FieldType(b[0])))
			r.args.cut = true
		}
		if r.state = argName; r.id == mysqlwire.ComStmtBulkExecute || !r.caps.Has(mysqlwire.QueryAttributes) {
			return r.typed()
		}
	case argNameText:
		b := r.upTo(r.left)
		if a := r.attr(); a != nil {
			a.name.to = r.args.keep(b[:min(len(b), maxName-int(a.name.to-a.name.from))]).to
		}
		if r.left -= uint64(len(b)); r.left > 0 {
			return false
		}
		return r.typed()
	case argIndicator:
		b := r.next(1)
		return b != nil && r.indicator(b[0])
	case argValue:
		return r.value()
	case argString:
		return r.stringPart()
	default:
		return false
	}
	return true
}
