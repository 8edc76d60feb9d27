package mysqldump

import (
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/japanese"
	"golang.org/x/text/encoding/korean"
	"golang.org/x/text/encoding/simplifiedchinese"
	"golang.org/x/text/encoding/traditionalchinese"
	"golang.org/x/text/transform"
)

// charsetNamed returns the charset for a character set's name as the servers list it, in lower case: nil
// for UTF-8, ASCII, binary and "", which are taken as UTF-8 where they are valid.
func charsetNamed(name string) *charset {
	if c, ok := charsets[name]; ok {
		return c
	}
	return unknownCharset
}

// unknownCharset is every set that has no decoder here: armscii8, dec8, geostd8, hp8, keybcs2, macce, and
// what later servers may have.
var unknownCharset = &charset{}

var charsets = map[string]*charset{
	"": nil, "ascii": nil, "binary": nil, "utf8": nil, "utf8mb3": nil, "utf8mb4": nil,

	// A client cannot choose the sets of wider units, but a server may be told anything.
	"swe7": {notASCII: true}, "ucs2": {notASCII: true}, "utf16": {notASCII: true}, "utf16le": {notASCII: true},
	"utf32": {notASCII: true},

	"cp1250": single(charmap.Windows1250),
	"cp1251": single(charmap.Windows1251),
	"cp1256": single(charmap.Windows1256, without("\x8a"), without("\x8f"), without("\x98"), without("\x9a"),
		without("\x9f"), without("\xaa"), without("\xc0"), without("\xff")),
	"cp1257": single(charmap.Windows1257),
	"cp850":  single(charmap.CodePage850),
	"cp852":  single(charmap.CodePage852),
	"cp866":  single(charmap.CodePage866, exception{"\xfc", "\xfd", "ⁿ²"}),
	"greek": single(charmap.ISO8859_7, controls, exception{"\xa1", "\xa2", "ʽʼ"}, exception{"\xa4", "\xa5", ""},
		without("\xaa")),
	"hebrew": single(charmap.ISO8859_8, controls, exception{"\xaf", "", "‾"}),
	"koi8r":  single(charmap.KOI8R),
	"koi8u":  single(charmap.KOI8U, exception{"\x95", "", "•"}, exception{"\xae", "", "╝"}, exception{"\xbe", "", "╬"}),
	"latin1": single(charmap.Windows1252, exception{"\x81", "", "\u0081"}, exception{"\x8d", "", "\u008d"},
		exception{"\x8f", "\x90", "\u008f"}, exception{"\x9d", "", "\u009d"}),
	"latin2":   single(charmap.ISO8859_2, controls),
	"latin5":   single(charmap.ISO8859_9),
	"latin7":   single(charmap.ISO8859_13, controls),
	"macroman": single(charmap.Macintosh),
	"tis620":   single(charmap.Windows874, controls, without("\xa0")),

	"big5":    several(traditionalchinese.Big5.NewDecoder(), big5, []form{{"\xa1\xf9", "\x40\x7e\xa1\xfe"}}),
	"cp932":   several(japanese.ShiftJIS.NewDecoder(), cp932, shiftJIS),
	"eucjpms": several(japanese.EUCJP.NewDecoder(), eucjpms, eucJP),
	"euckr":   several(korean.EUCKR.NewDecoder(), nil, []form{{"\x81\xfe", "\x41\x5a\x61\x7a\x81\xfe"}}),
	"gb18030": several(simplifiedchinese.GB18030.NewDecoder(), gb18030, []form{
		{"\x81\xfe", "\x40\x7e\x80\xfe"}, {"\x81\xfe", "\x30\x39", "\x81\xfe", "\x30\x39"},
	}),
	"gb2312": several(simplifiedchinese.GBK.NewDecoder(), gb2312, []form{{"\xa1\xf7", "\xa1\xfe"}}),
	"gbk":    several(simplifiedchinese.GBK.NewDecoder(), gbk, []form{{"\x81\xfe", "\x40\x7e\x80\xfe"}}),
	"sjis":   several(japanese.ShiftJIS.NewDecoder(), sjis, shiftJIS),
	"ujis":   several(japanese.EUCJP.NewDecoder(), ujis, eucJP),
}

var (
	shiftJIS = []form{{"\xa1\xdf"}, {"\x81\x9f\xe0\xfc", "\x40\x7e\x80\xfc"}}
	eucJP    = []form{{"\xa1\xfe", "\xa1\xfe"}, {"\x8e\x8e", "\xa1\xdf"}, {"\x8f\x8f", "\xa1\xfe", "\xa1\xfe"}}
)

func single(m *charmap.Charmap, but ...exception) *charset {
	return &charset{forms: []form{{"\x80\xff"}}, decoder: m.NewDecoder(), but: but}
}

func several(decoder transform.Transformer, but []exception, forms []form) *charset {
	return &charset{forms: forms, decoder: decoder, but: but}
}

// controls are the C1 controls, which stand for themselves.
var controls = exception{"\x80", "\x9f", "\u0080"}

func without(char string) exception { return exception{first: char} }

// Where the servers' tables differ from those of the WHATWG, which x/text has. testdata/charsets is
// by the servers.
var (
	big5 = []exception{
		{"\xa1\x45", "", "•"},
		{"\xa1\x4e", "", "､"},
		{"\xa1\x5a", "", ""},
		{"\xa1\xc2", "", "‾"},
		{"\xa1\xc3", "", ""},
		{"\xa1\xc5", "", ""},
		{"\xa1\xe3", "", "∼"},
		{"\xa1\xf2", "\xa1\xf3", "♁☉"},
		{"\xa1\xfe", "", ""},
		{"\xa2\x40", "", ""},
		{"\xa2\x41", "\xa2\x42", "／＼"},
		{"\xa2\x44", "", "¥"},
		{"\xa2\x46", "\xa2\x47", "¢£"},
		{"\xa2\xcc", "", ""},
		{"\xa2\xce", "", ""},
		{"\xa3\xc0", "\xa3\xfe", ""},
		{"\xc6\xa1", "\xc6\xf7", "ヾゝゞ々ぁ"},
		{"\xc6\xf8", "\xc6\xfe", "ァ"},
		{"\xc7\x40", "\xc7\xb0", "エ"},
		{"\xc7\xb1", "\xc7\xfc", "ДЕЁЖЗИЙКЛМУФХЦЧШЩЪЫЬЭЮЯабвгдеёжзийклмнопрстуфхцчшщъыьэюя①②③④⑤⑥⑦⑧⑨⑩⑴"},
		{"\xc7\xfd", "\xc7\xfe", ""},
		{"\xc8\x40", "\xc8\xfe", ""},
		{"\xf9\xdd", "\xf9\xfe", ""},
	}
	cp932 = []exception{
		{"\xf0\x40", "\xf9\xfc", "\ue000"},
	}
	eucjpms = []exception{
		{"\x8f\xa2\xc3", "", "￤"},
		{"\x8f\xf3\xf3", "\x8f\xf3\xfe", "ⅰⅱⅲⅳⅴⅵⅶⅷⅸⅹⅠⅡ"},
		{"\x8f\xf4\xa1", "\x8f\xf4\xfe", "ⅢⅣⅤⅥⅦⅧⅨⅩ＇＂㈱№℡炻仼僴凬匇匤\ufa0e咊坙\ufa0f\ufa10增寬峵嵓\ufa11德悅愠" +
			"敎昻晥\ufa12\uf929栁\ufa13\ufa14橫櫢淸淲瀨\ufa15\ufa16甁皂皞\ufa17礰\ufa18\ufa19\ufa1a\ufa1b竧\ufa1c\ufa1d綠緖\ufa1e荢\ufa1f" +
			"薰\ufa20\ufa21蠇\ufa22譿賴赶\ufa23\ufa24\ufa25郞\ufa26鄕\ufa27\ufa28閒\uf9dc\ufa29霻靍靑\ufa2a\ufa2b\ufa2c馞髙魲\ufa2d黑"},
		{"\x8f\xf5\xa1", "\x8f\xfe\xfe", "\ue3ac"},
		{"\xf5\xa1", "\xfe\xfe", "\ue000"},
	}
	gb18030 = []exception{ // nearly all of them for private use, which x/text leaves out
		{"\x81\x35\xf4\x37", "", "\ue7c7"},
		{"\xa1\x40", "\xa7\xa0", "\ue4c6"},
		{"\xa2\xab", "\xa2\xb0", "\ue766"},
		{"\xa2\xe4", "", "\ue76d"},
		{"\xa2\xef", "\xa2\xf0", "\ue76e"},
		{"\xa2\xfd", "\xa2\xfe", "\ue770"},
		{"\xa4\xf4", "\xa4\xfe", "\ue772"},
		{"\xa5\xf7", "\xa5\xfe", "\ue77d"},
		{"\xa6\xb9", "\xa6\xc0", "\ue785"},
		{"\xa6\xd9", "\xa6\xdf", "\ue78d"},
		{"\xa6\xec", "\xa6\xed", "\ue794"},
		{"\xa6\xf3", "", "\ue796"},
		{"\xa6\xf6", "\xa6\xfe", "\ue797"},
		{"\xa7\xc2", "\xa7\xd0", "\ue7a0"},
		{"\xa7\xf2", "\xa7\xfe", "\ue7af"},
		{"\xa8\x96", "\xa8\xa0", "\ue7bc"},
		{"\xa8\xbc", "", "ḿ"},
		{"\xa8\xc1", "\xa8\xc4", "\ue7c9"},
		{"\xa8\xea", "\xa8\xfe", "\ue7cd"},
		{"\xa9\x58", "", "\ue7e2"},
		{"\xa9\x5b", "", "\ue7e3"},
		{"\xa9\x5d", "\xa9\x5f", "\ue7e4"},
		{"\xa9\x97", "\xa9\xa3", "\ue7f4"},
		{"\xa9\xf0", "\xa9\xfe", "\ue801"},
		{"\xaa\xa1", "\xaf\xfe", "\ue000"},
		{"\xd7\xfa", "\xd7\xfe", "\ue810"},
		{"\xf8\xa1", "\xfe\xfe", "\ue234"},
		{"\xfe\x51", "\xfe\x53", "\ue816"},
		{"\xfe\x59", "", "\ue81e"},
		{"\xfe\x61", "", "\ue826"},
		{"\xfe\x66", "\xfe\x67", "\ue82b"},
		{"\xfe\x6c", "\xfe\x6d", "\ue831"},
		{"\xfe\x76", "", "\ue83b"},
		{"\xfe\x7e", "", "\ue843"},
		{"\xfe\x90", "\xfe\x91", "\ue854"},
		{"\xfe\xa0", "", "\ue864"},
	}
	gb2312 = []exception{
		{"\xa1\xa4", "", "・"},
		{"\xa1\xaa", "", "―"},
		{"\xa2\xa1", "\xa2\xb0", ""},
		{"\xa2\xe3", "\xa2\xe4", ""},
		{"\xa6\xe0", "\xa6\xfe", ""},
		{"\xa8\xbb", "\xa8\xc4", ""},
	}
	gbk = []exception{
		{"\xa2\xe3", "", ""},
		{"\xa3\xa0", "", ""},
		{"\xa8\xbf", "", ""},
		{"\xa9\x89", "\xa9\x95", ""},
		{"\xfe\x50", "\xfe\xfe", ""},
	}
	sjis = []exception{
		{"\x81\x5f", "\x81\x61", "\\〜‖"},
		{"\x81\x7c", "", "−"},
		{"\x81\x91", "\x81\x92", "¢£"},
		{"\x81\xca", "", "¬"},
		{"\x87\x40", "\x87\xfc", ""},
		{"\xed\x40", "\xfc\xfc", ""},
	}
	ujis = []exception{
		{"\x8f\xa2\xb7", "", "~"},
		{"\x8f\xf5\xa1", "\x8f\xfe\xfe", "\ue3ac"},
		{"\xa1\xc0", "\xa1\xc2", "\\〜‖"},
		{"\xa1\xdd", "", "−"},
		{"\xa1\xf1", "\xa1\xf2", "¢£"},
		{"\xa2\xcc", "", "¬"},
		{"\xad\xa1", "\xad\xfe", ""},
		{"\xf5\xa1", "\xfe\xfe", "\ue000"},
	}
)
