package mysqldump

import "github.com/l4mysql/l4mysql/mysqlwire"

// encoding returns how the server reads a value of type t. Attributes of the types that clients do not bind
// are strings to MySQL (tried on 9.7.4): to read them otherwise would be to lose the text behind them. As
// parameters MySQL refuses these types, and MariaDB takes some for NULL without a byte.
func (r *argumentReader) encoding(t mysqlwire.FieldType) (e mysqlwire.Encoding, size int) {
	e, size = t.Encoding()
	switch attribute := r.i >= r.params; {
	case attribute && (e == mysqlwire.EncodingUnknown || t == mysqlwire.TypeNull || t == mysqlwire.TypeInt24 || t == mysqlwire.TypeYear):
		return mysqlwire.EncodingString, 0
	case !attribute && (t == mysqlwire.TypeInt24 || t == mysqlwire.TypeYear || t == mysqlwire.TypeBit || t == mysqlwire.TypeGeometry):
		return mysqlwire.EncodingUnknown, 0
	}
	return e, size
}

// A formList is how the values of many query attributes are encoded, in half a byte each: their types are not
// kept, but the text behind them must be found.
type formList struct {
	halves []byte
	n      int
}

// formTypes has a type for each form.
var formTypes = [...]mysqlwire.FieldType{
	mysqlwire.TypeTiny, mysqlwire.TypeShort, mysqlwire.TypeLong, mysqlwire.TypeLongLong, mysqlwire.TypeDateTime, mysqlwire.TypeBlob,
}

// form returns the index in formTypes of a type that is encoded like t.
func (r *argumentReader) form(t mysqlwire.FieldType) byte {
	e, size := r.encoding(t)
	for i, like := range formTypes {
		if e2, size2 := like.Encoding(); e2 == e && size2 == size {
			return byte(i)
		}
	}
	return byte(len(formTypes) - 1) // a string, as everything else is to MySQL
}

func (f *formList) add(form byte) {
	if f.n%2 == 0 {
		f.halves = append(f.halves, form)
	} else {
		f.halves[f.n/2] |= form << 4
	}
	f.n++
}

// at returns a type that is encoded like the i-th.
func (f *formList) at(i int) paramType {
	return paramType(formTypes[f.halves[i/2]>>(i%2*4)&0x0f])
}
