package mysqldump

// A ValueKind says what the bytes of a [Value] are.
type ValueKind uint8

// The kinds of values.
const (
	ValueNull    ValueKind = iota // NULL
	ValueNumber                   // Data is a number as in JSON
	ValueText                     // Data is a text in UTF-8
	ValueBytes                    // Data is bytes, or a text whose character set has no decoder
	ValueDefault                  // the column's default value (COM_STMT_BULK_EXECUTE)
	ValueIgnored                  // none: the column, or the row, is left as it is (COM_STMT_BULK_EXECUTE)
)

// A Value is a parameter of a prepared statement, or the value of a query attribute.
type Value struct {
	Kind   ValueKind
	Data   []byte // the beginning of it, if it is longer than Options.MaxParam
	Length uint64 // of a text or of bytes: its full length in bytes as the client has sent it
	Cut    bool   // Data is not all of it
}

// A QueryAttribute is a value that a client has sent beside a statement under a name.
//
// Query attributes: CLIENT_QUERY_ATTRIBUTES
type QueryAttribute struct {
	Name []byte // in UTF-8; may be empty
	Value
}
