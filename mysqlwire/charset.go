package mysqlwire

// charsets maps the collation ids below 256 to their character sets, as information_schema.COLLATIONS of
// MySQL 9 and MariaDB 10.11 list them. Ids that neither has are absent.
var charsets = func() (table [256]string) {
	for name, ranges := range map[string][][2]uint8{
		"armscii8": {{32, 32}, {64, 64}},
		"ascii":    {{11, 11}, {65, 65}},
		"big5":     {{1, 1}, {84, 84}},
		"binary":   {{63, 63}},
		"cp1250":   {{26, 26}, {34, 34}, {44, 44}, {66, 66}, {99, 99}},
		"cp1251":   {{14, 14}, {23, 23}, {50, 52}},
		"cp1256":   {{57, 57}, {67, 67}},
		"cp1257":   {{29, 29}, {58, 59}},
		"cp850":    {{4, 4}, {80, 80}},
		"cp852":    {{40, 40}, {81, 81}},
		"cp866":    {{36, 36}, {68, 68}},
		"cp932":    {{95, 96}},
		"dec8":     {{3, 3}, {69, 69}},
		"eucjpms":  {{97, 98}},
		"euckr":    {{19, 19}, {85, 85}},
		"gb18030":  {{248, 250}},
		"gb2312":   {{24, 24}, {86, 86}},
		"gbk":      {{28, 28}, {87, 87}},
		"geostd8":  {{92, 93}},
		"greek":    {{25, 25}, {70, 70}},
		"hebrew":   {{16, 16}, {71, 71}},
		"hp8":      {{6, 6}, {72, 72}},
		"keybcs2":  {{37, 37}, {73, 73}},
		"koi8r":    {{7, 7}, {74, 74}},
		"koi8u":    {{22, 22}, {75, 75}},
		"latin1":   {{5, 5}, {8, 8}, {15, 15}, {31, 31}, {47, 49}, {94, 94}},
		"latin2":   {{2, 2}, {9, 9}, {21, 21}, {27, 27}, {77, 77}},
		"latin5":   {{30, 30}, {78, 78}},
		"latin7":   {{20, 20}, {41, 42}, {79, 79}},
		"macce":    {{38, 38}, {43, 43}},
		"macroman": {{39, 39}, {53, 53}},
		"sjis":     {{13, 13}, {88, 88}},
		"swe7":     {{10, 10}, {82, 82}},
		"tis620":   {{18, 18}, {89, 89}},
		"ucs2":     {{35, 35}, {90, 90}, {128, 151}, {159, 159}},
		"ujis":     {{12, 12}, {91, 91}},
		"utf16":    {{54, 55}, {101, 124}},
		"utf16le":  {{56, 56}, {62, 62}},
		"utf32":    {{60, 61}, {160, 183}},
		"utf8mb3":  {{33, 33}, {76, 76}, {83, 83}, {192, 215}, {223, 223}},
		"utf8mb4":  {{45, 46}, {224, 247}, {255, 255}},
	} {
		for _, r := range ranges {
			for id := int(r[0]); id <= int(r[1]); id++ {
				table[id] = name
			}
		}
	}
	return table
}()

// Charset returns the name of the character set that the collation with the given id belongs to, such as
// "utf8mb4", or "" for an id that is not known. A login carries only the lower 8 bits of the id: pass
// those; COM_CHANGE_USER carries 16.
func Charset(collation uint16) string {
	switch {
	case collation < 256:
		return charsets[collation]
	case collation < 512: // utf8mb4_0900_* of MySQL 8
		return "utf8mb4"
	case collation >= 576 && collation < 768 && collation%32 < 3: // *_croatian_ci, *_myanmar_ci, *_thai_520_w2 of MariaDB
		return [...]string{"utf8mb3", "utf8mb4", "ucs2", "utf16", "", "utf32"}[(collation-576)/32]
	case collation >= 1024 && collation < 1280: // *_nopad_* of MariaDB: 1024 above their padded twins
		return charsets[collation-1024]
	case collation >= 2048 && collation < 3328: // uca1400_* of MariaDB: 256 ids each
		return [...]string{"utf8mb3", "utf8mb4", "ucs2", "utf16", "utf32"}[(collation-2048)/256]
	default:
		return ""
	}
}
