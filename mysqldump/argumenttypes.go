package mysqldump

import (
	"encoding/binary"

	"github.com/l4mysql/l4mysql/mysqlwire"
)

// header reads the fixed fields of COM_STMT_EXECUTE (statement_id, flags, iteration_count) or of
// COM_STMT_BULK_EXECUTE (statement id, bulk flags).
func (r *argumentReader) header() bool {
	bulk := r.id == mysqlwire.ComStmtBulkExecute
	size := 9
	if bulk {
		size = 6
	}
	b := r.next(size)
	if b == nil {
		return false
	}
	st, late := r.find(binary.LittleEndian.Uint32(b))
	switch {
	case late:
		r.args.keep(b)
		r.args.late = true
		r.state = argLate
		return false
	case st == nil: // its record says that the text is lost, too
		r.lose()
		r.args.cut = false
		return false
	}
	r.stmt, r.params, r.total = st, st.params, st.params
	if st.lost {
		return r.lose()
	}
	if bulk {
		r.args.width = min(r.params, r.maxParams)
	}
	flags := b[4]
	switch {
	case bulk && r.params == 0:
		return r.lose()
	case bulk && flags&flagBulkTypes != 0:
		r.state = argType
	case bulk:
		return r.knownTypes()
	case r.caps.Has(mysqlwire.QueryAttributes) && (r.total > 0 || flags&flagParameterCount != 0):
		r.state = argCount // MySQL wants it also without the flag, if there are parameters
	case r.total == 0:
		r.state = argDone
	default:
		r.flags()
	}
	return true
}

// number takes the integer that was read in one of the states that read one.
func (r *argumentReader) number(n uint64) bool {
	switch {
	case r.state == argName:
		r.left = n
		r.state = argNameText
	case r.state == argCount && (n > mostArguments || n < uint64(r.params)):
		return r.lose()
	case r.state == argCount:
		r.total = int(n)
		if r.state = argSets; r.id != mysqlwire.ComQuery {
			r.flags()
		}
	default: // parameter_set_count is always 1
		r.flags()
	}
	return true
}

// flags begins the NULL bitmap, if there are arguments at all.
func (r *argumentReader) flags() {
	switch {
	case r.total > 0:
		r.left = uint64(r.total+7) / 8
		r.state = argNulls
	case r.id == mysqlwire.ComQuery:
		r.state = argText
	default:
		r.state = argDone
	}
}

// bound takes new_params_bind_flag: do types come, or are they those of the execution before?
func (r *argumentReader) bound(flag byte) bool {
	switch {
	case flag != 0:
		r.state = argType
		return true
	case r.stmt == nil:
		return r.lose()
	}
	if r.total > r.params { // attributes of no type
		r.total, r.args.cut = r.params, true
	}
	return r.knownTypes()
}

// knownTypes takes the types of the execution before.
func (r *argumentReader) knownTypes() bool {
	r.types = append(r.types, r.stmt.types...)
	if len(r.types) < min(r.params, maxTypes) {
		return r.lose()
	}
	r.values()
	return true
}

// typed goes on after the type, and name, of an argument.
func (r *argumentReader) typed() bool {
	if r.i++; r.i < r.total {
		r.state = argType
		return true
	}
	if r.stmt != nil {
		r.stmt.types = append(r.stmt.types[:0], r.types[:min(r.params, len(r.types))]...)
	}
	r.values()
	return true
}

func (r *argumentReader) values() {
	r.i, r.state = 0, argValue
	if r.id == mysqlwire.ComStmtBulkExecute {
		r.state = argIndicator
	}
}

// newAttr makes room for the query attribute whose type was just read.
func (r *argumentReader) newAttr() {
	if i := r.i - r.params; i >= 0 && i == len(r.args.attrs) {
		if i >= r.maxParams || r.room < argumentSize {
			r.args.cut = true
			return
		}
		r.room -= argumentSize
		end := uint32(len(r.args.data))
		r.args.attrs = append(r.args.attrs, argument{name: span{end, end}})
	}
}

// attr returns the query attribute that is being read, or nil if it is none, or one that is not kept.
func (r *argumentReader) attr() *argument {
	if i := r.i - r.params; i >= 0 && i < len(r.args.attrs) {
		return &r.args.attrs[i]
	}
	return nil
}
