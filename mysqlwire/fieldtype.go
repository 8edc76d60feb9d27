package mysqlwire

// A FieldType is the type of a value in the binary protocol (enum_field_types).
type FieldType uint8

// The types. Manual's names in the comments. Types that servers use only inside, such as
// MYSQL_TYPE_TIMESTAMP2, are left out: no value of them is ever sent.
const (
	TypeDecimal    FieldType = 0x00 // MYSQL_TYPE_DECIMAL
	TypeTiny       FieldType = 0x01 // MYSQL_TYPE_TINY
	TypeShort      FieldType = 0x02 // MYSQL_TYPE_SHORT
	TypeLong       FieldType = 0x03 // MYSQL_TYPE_LONG
	TypeFloat      FieldType = 0x04 // MYSQL_TYPE_FLOAT
	TypeDouble     FieldType = 0x05 // MYSQL_TYPE_DOUBLE
	TypeNull       FieldType = 0x06 // MYSQL_TYPE_NULL
	TypeTimestamp  FieldType = 0x07 // MYSQL_TYPE_TIMESTAMP
	TypeLongLong   FieldType = 0x08 // MYSQL_TYPE_LONGLONG
	TypeInt24      FieldType = 0x09 // MYSQL_TYPE_INT24
	TypeDate       FieldType = 0x0a // MYSQL_TYPE_DATE
	TypeTime       FieldType = 0x0b // MYSQL_TYPE_TIME
	TypeDateTime   FieldType = 0x0c // MYSQL_TYPE_DATETIME
	TypeYear       FieldType = 0x0d // MYSQL_TYPE_YEAR
	TypeVarChar    FieldType = 0x0f // MYSQL_TYPE_VARCHAR
	TypeBit        FieldType = 0x10 // MYSQL_TYPE_BIT
	TypeVector     FieldType = 0xf2 // MYSQL_TYPE_VECTOR
	TypeBool       FieldType = 0xf4 // MYSQL_TYPE_BOOL
	TypeJSON       FieldType = 0xf5 // MYSQL_TYPE_JSON
	TypeNewDecimal FieldType = 0xf6 // MYSQL_TYPE_NEWDECIMAL
	TypeEnum       FieldType = 0xf7 // MYSQL_TYPE_ENUM
	TypeSet        FieldType = 0xf8 // MYSQL_TYPE_SET
	TypeTinyBlob   FieldType = 0xf9 // MYSQL_TYPE_TINY_BLOB
	TypeMediumBlob FieldType = 0xfa // MYSQL_TYPE_MEDIUM_BLOB
	TypeLongBlob   FieldType = 0xfb // MYSQL_TYPE_LONG_BLOB
	TypeBlob       FieldType = 0xfc // MYSQL_TYPE_BLOB
	TypeVarString  FieldType = 0xfd // MYSQL_TYPE_VAR_STRING
	TypeString     FieldType = 0xfe // MYSQL_TYPE_STRING
	TypeGeometry   FieldType = 0xff // MYSQL_TYPE_GEOMETRY
)

// UnsignedParam is the flag in the second byte of a parameter's type that makes an integer unsigned.
const UnsignedParam = 0x80

// An Encoding is how the length of a value is known.
type Encoding uint8

// The encodings.
const (
	EncodingUnknown  Encoding = iota // the type is none that is sent
	EncodingFixed                    // a number of bytes that follows from the type
	EncodingTemporal                 // int<1> with the number of bytes, at most [MaxTemporal], and these
	EncodingString                   // string<lenenc>
)

// MaxTemporal is the largest length in bytes of a temporal value without the length before it: a DATETIME
// with microseconds and the offset of a time zone.
const MaxTemporal = 13

// Encoding returns how a value of type t is encoded, and its size in bytes if that is fixed.
//
// Binary Protocol Value
func (t FieldType) Encoding() (e Encoding, size int) {
	switch t {
	case TypeNull:
		return EncodingFixed, 0
	case TypeTiny, TypeBool:
		return EncodingFixed, 1
	case TypeShort, TypeYear:
		return EncodingFixed, 2
	case TypeLong, TypeInt24, TypeFloat:
		return EncodingFixed, 4
	case TypeLongLong, TypeDouble:
		return EncodingFixed, 8
	case TypeDate, TypeDateTime, TypeTimestamp, TypeTime:
		return EncodingTemporal, 0
	case TypeDecimal, TypeNewDecimal, TypeVarChar, TypeVarString, TypeString, TypeEnum, TypeSet, TypeJSON,
		TypeTinyBlob, TypeMediumBlob, TypeLongBlob, TypeBlob, TypeBit, TypeVector, TypeGeometry:
		return EncodingString, 0
	default:
		return EncodingUnknown, 0
	}
}

// IsText reports whether values of type t are texts in the client's character set; other strings are
// bytes.
func (t FieldType) IsText() bool {
	switch t {
	case TypeDecimal, TypeNewDecimal, TypeVarChar, TypeVarString, TypeString, TypeEnum, TypeSet, TypeJSON:
		return true
	default:
		return false
	}
}
