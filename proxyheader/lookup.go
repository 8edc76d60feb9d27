package proxyheader

import (
	"encoding/hex"
	"strconv"
	"strings"

	"github.com/pires/go-proxyproto"
	"github.com/pires/go-proxyproto/tlvparse"
)

// Lookup returns a TLV as text by its name, and whether it is there. Of several TLVs of one type the first
// counts.
//
//	alpn, authority, unique_id, netns   by [Text]
//	crc32c                              8 hex digits
//	ssl                                 "true" if the client connected over TLS, "false" if it did not
//	ssl_<name>                          as [SSL.Lookup]: ssl_version, ssl_cn, ssl_verified, ...
//	aws_vpce_id                         by [Text]
//	azure_linkid, gcp_psc_id            decimal
//	alibaba_vpc_id, alibaba_endpoint_id, alibaba_service_id
//	                                    by [Text]
//	0xNN                                any type's value in hex, uninterpreted
func (t TLVs) Lookup(name string) (string, bool) {
	if typ, ok := typeByNumber(name); ok {
		value, ok := t.Get(typ)
		return hex.EncodeToString(value), ok
	}
	if field, ok := strings.CutPrefix(name, "ssl_"); ok {
		ssl, ok := t.SSL()
		if !ok {
			return "", false
		}
		return ssl.Lookup(field)
	}
	if lookup := lookups[name]; lookup != nil {
		return lookup(t)
	}
	return "", false
}

// ValidName reports whether [TLVs.Lookup] knows name, so that a configuration can refuse a misspelt one.
func ValidName(name string) bool {
	if _, ok := typeByNumber(name); ok {
		return true
	}
	if field, ok := strings.CutPrefix(name, "ssl_"); ok {
		_, known := sslNames[field]
		return known || field == "verified"
	}
	return lookups[name] != nil
}

// TypeOf returns the type of the TLVs that a name of [TLVs.Lookup] is about, so that a configuration can have whole
// ones handed on. Names of a TLV's parts, such as ssl_cn, have none.
func TypeOf(name string) (Type, bool) {
	if typ, ok := typeByNumber(name); ok {
		return typ, true
	}
	typ, ok := types[name]
	return typ, ok
}

var types = map[string]Type{
	"alpn": TypeALPN, "authority": TypeAuthority, "unique_id": TypeUniqueID, "netns": TypeNetNS, "ssl": TypeSSL,
	"aws_vpce_id": TypeAWS, "azure_linkid": TypeAzure, "gcp_psc_id": TypeGCP,
	"alibaba_vpc_id": TypeAlibaba, "alibaba_endpoint_id": TypeAlibaba, "alibaba_service_id": TypeAlibaba,
}

// typeByNumber reads "0x" and two hex digits of either case.
func typeByNumber(name string) (Type, bool) {
	digits, ok := strings.CutPrefix(name, "0x")
	if !ok || len(digits) != 2 {
		return 0, false
	}
	n, err := strconv.ParseUint(digits, 16, 8)
	return Type(n), err == nil
}

var lookups = map[string]func(TLVs) (string, bool){
	"alpn":      textOf(TypeALPN),
	"authority": textOf(TypeAuthority),
	"unique_id": textOf(TypeUniqueID),
	"netns":     textOf(TypeNetNS),
	"crc32c": func(t TLVs) (string, bool) {
		value, ok := t.Get(TypeCRC32C)
		return hex.EncodeToString(value), ok
	},
	"ssl": func(t TLVs) (string, bool) {
		ssl, ok := t.SSL()
		if !ok {
			return "", false
		}
		return strconv.FormatBool(ssl.TLS()), true
	},
	"aws_vpce_id": func(t TLVs) (string, bool) {
		id := tlvparse.FindAWSVPCEndpointID(t.ofType(TypeAWS))
		return Text([]byte(id)), id != ""
	},
	"azure_linkid": func(t TLVs) (string, bool) {
		id, ok := tlvparse.FindAzurePrivateEndpointLinkID(t.ofType(TypeAzure))
		return number(uint64(id), ok)
	},
	"gcp_psc_id": func(t TLVs) (string, bool) {
		id, ok := tlvparse.ExtractPSCConnectionID(t.ofType(TypeGCP))
		return number(id, ok)
	},
	"alibaba_vpc_id":      alibaba(0x01),
	"alibaba_endpoint_id": alibaba(0x02),
	"alibaba_service_id":  alibaba(0x03),
}

func textOf(typ Type) func(TLVs) (string, bool) {
	return func(t TLVs) (string, bool) {
		value, ok := t.Get(typ)
		return Text(value), ok
	}
}

// alibaba finds a subtype among the TLVs that NLB sends, one for each subtype ("Obtain real client
// information", help.aliyun.com/zh/privatelink/obtain-real-client-information).
func alibaba(subtype byte) func(TLVs) (string, bool) {
	return func(t TLVs) (string, bool) {
		for typ, value := range t.All() {
			if typ == TypeAlibaba && len(value) > 1 && value[0] == subtype {
				return Text(value[1:]), true
			}
		}
		return "", false
	}
}

func number(n uint64, ok bool) (string, bool) {
	if !ok {
		return "", false
	}
	return strconv.FormatUint(n, 10), true
}

// ofType returns the TLVs of one type as tlvparse takes them.
func (t TLVs) ofType(typ Type) []proxyproto.TLV {
	var found []proxyproto.TLV
	for got, value := range t.All() {
		if got == typ {
			found = append(found, proxyproto.TLV{Type: proxyproto.PP2Type(got), Value: value})
		}
	}
	return found
}
