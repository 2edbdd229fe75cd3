//! Functions on text: searching, cutting, replacing, encoding, parsing (reference: "String functions").

pub(super) const TABLE: &str = "
strcat(arg...: any) -> string
strcat_array|array_strcat(array: dynamic, delimiter: any) -> string
strcat_delim(delimiter: any, arg1: any, arg2...: any) -> string
strcmp(string1: any, string2: any) -> long
strrep(value: any, multiplier: long, delimiter?: any) -> string
strlen(source: string|dynamic) -> long as name_first
string_size(source: string|dynamic) -> long as name_first
toupper(value: any) -> string
tolower(value: any) -> string
unicode_codepoints_from_string|to_utf8(value: any) -> dynamic
unicode_codepoints_to_string|make_string(value...: integer|dynamic) -> string
substring(source: any, start: integer, length?: integer) -> string
regex_quote(string: any) -> string
indexof(string: any, match: any, start?: integer, length?: integer, occurrence?: integer) -> long
indexof_regex(string: any, match: any, start?: integer, length?: integer, occurrence?: integer) -> long
has_any_index(source: string|dynamic, values: dynamic) -> long
reverse(value: any) -> string
split(source: any, delimiter: string, index?: integer) -> dynamic as first
parse_command_line(command: any, parser_type: string) -> dynamic
extract(regex: string, capture_group: long, source: string) -> string
extract(regex: string, capture_group: long, source: string, type: type) -> type_argument
extract_all|extractall(regex: string, source: string) -> dynamic
extract_all|extractall(regex: string, capture_groups: dynamic, source: string) -> dynamic
extract_json|extractjson(json_path: string, source: string) -> string
extract_json|extractjson(json_path: string, source: string, type: type) -> type_argument
replace(regex: string, rewrite: string, source: string) -> string
replace_regex(source: string, lookup_regex: string, rewrite_pattern: string) -> string
replace_string(text: string, lookup: string, rewrite: string) -> string
replace_strings(text: string, lookups: dynamic, rewrites: dynamic) -> string
trim_start(regex: string, source: string) -> string
trim_end(regex: string, source: string) -> string
trim(regex: string, source: string) -> string
countof(source: string, search: string, kind?: string) -> long
translate(search_list: string, replacement_list: string, source: string) -> string
isascii(value: any) -> bool
isutf8(value: any) -> bool
url_encode(url: string) -> string
url_encode_component(url: string) -> string
url_decode(encoded_url: string) -> string
base64_encode_tostring|base64_encodestring(string: string) -> string
base64_decode_tostring|base64_decodestring(base64_string: string) -> string
base64_decode_toarray(base64_string: string) -> dynamic
base64_decode_toguid(base64_string: string) -> guid
base64_encode_fromguid(guid: guid) -> string
base64_encode_fromarray(array: dynamic) -> string
zlib_decompress_from_base64_string(string: string) -> string
zlib_compress_to_base64_string(string: string) -> string
gzip_decompress_from_base64_string(string: string) -> string
gzip_compress_to_base64_string(string: string) -> string
__lz4_compress_dynamic_array_to_base64_string(array: dynamic) -> string
punycode_to_string(string: string) -> string
punycode_from_string(string: string) -> string
punycode_domain_from_string(string: string) -> string
punycode_domain_to_string(string: string) -> string
parse_csv(csv_text: string) -> dynamic as first
parse_xml(xml: string) -> dynamic as first
parse_url|parseurl(url: string) -> dynamic
parse_urlquery|parseurlquery(query: string) -> dynamic
parse_path(path: string) -> dynamic
parse_user_agent(user_agent: string, look_for?: string|dynamic) -> dynamic
parse_version(version: string) -> decimal
format_bytes(value: number, precision?: number, units?: string) -> string as first
";
