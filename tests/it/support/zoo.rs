//! The zoo of odd archives: one of each kind, for whoever compares what readers make of them.
//!
//! What optfs promises of each is said in the tests of odd zips, names and attributes.

use super::raw_zip::{HOST_FAT, HOST_NTFS, RawZip, deflated};

/// Every animal by name.
pub(crate) fn zoo() -> Vec<(&'static str, Vec<u8>)> {
    let text = b"some text, deflated, deflated, deflated\n".repeat(40);
    let zip = RawZip::new;
    let plain = || zip().file("f", b"content").file("g", &text).deflate();
    let packed = deflated(&text);
    let animals = vec![
        ("plain", plain()),
        ("empty", zip()),
        ("zip64", plain().zip64().file("h", b"x").zip64().zip64_end()),
        (
            "descriptors",
            plain().descriptor().file("s", b"stored").descriptor(),
        ),
        (
            "bare descriptor",
            plain()
                .descriptor()
                .bend_descriptor(|it| it.with_signature = false),
        ),
        ("counted stub", plain().prepend("#!/bin/sh\nexit\n")),
        ("uncounted stub", plain().prepend_unnoticed("#!/bin/sh\nexit\n")),
        ("trailing garbage", plain().append("\r\n-- garbage --\0\0")),
        ("comment", plain().comment("the archive's comment")),
        (
            "end inside the comment",
            plain().comment([&b"PK\x05\x06"[..], &[0; 18], b"tail"].concat()),
        ),
        (
            "shared data",
            zip()
                .file("a", b"shared")
                .file("b", b"shared")
                .without_local()
                .bend_central(|it| it.local_offset = 0),
        ),
        (
            "other local name",
            plain().bend_local(|it| it.name = b"h".to_vec()).file("z", b"z"),
        ),
        (
            "other local method and sizes",
            plain().bend_local(|it| {
                it.method = 0;
                (it.compressed_size, it.uncompressed_size) = (1, 2);
            }),
        ),
        (
            "only before its data",
            plain().file("hidden", b"h").without_central(),
        ),
        (
            "count too low",
            plain().bend_end(|end| (end.entries, end.entries_on_disk) = (1, 1)),
        ),
        (
            "count too high",
            plain().bend_end(|end| (end.entries, end.entries_on_disk) = (9, 9)),
        ),
        ("wrong sum", plain().crc(0x1234_5678)),
        ("wrong sum, stored", zip().file("f", b"content").crc(7)),
        ("encrypted", plain().flags(1)),
        ("unknown method", plain().method(77)),
        ("size too small", plain().declared_size(10)),
        (
            "size too small, stored",
            zip().file("f", b"content").declared_size(3),
        ),
        ("size too large", plain().declared_size(1 << 30)),
        (
            "size too large, stored",
            zip().file("f", b"content").declared_size(70),
        ),
        (
            "not deflate",
            zip().file("f", &text).raw_data(8, b"\xff\xfe\xfd not it"),
        ),
        (
            "cut deflate",
            zip().file("f", &text).raw_data(8, &packed[..packed.len() - 4]),
        ),
        (
            "more behind the deflate",
            zip()
                .file("f", &text)
                .raw_data(8, [&packed, &b"behind"[..]].concat()),
        ),
        (
            "data behind the file",
            plain().bend_central(|it| it.compressed_size = 1 << 20),
        ),
        (
            "header behind the file",
            plain().bend_central(|it| it.local_offset = 1 << 20),
        ),
        (
            "overlapping data",
            plain()
                .file("i", b"content")
                .bend_central(|it| it.local_offset = 3),
        ),
        ("absolute", zip().file("/etc/x", b"x")),
        ("climbing", zip().file("../../x", b"x").file("a/../b", b"b")),
        (
            "dots and slashes",
            zip().file("./a", b"a").file("b/./c", b"c").file("d//e", b"e"),
        ),
        (
            "backslash",
            zip().file("a\\b", b"x").file("c\\d", b"y").host(HOST_FAT),
        ),
        ("duplicates", zip().file("f", b"first").file("f", b"second one")),
        ("case", zip().file("f", b"low").file("F", b"high")),
        ("cp437", zip().file(b"caf\x82", b"x").host(HOST_FAT)),
        ("raw bytes", zip().file(b"caf\xe9", b"x")),
        ("utf-8 unsaid", zip().file("café", b"x")),
        ("utf-8 said", zip().file("café", b"x").utf8_flag()),
        ("utf-8 said and not so", zip().file(b"caf\xe9", b"x").utf8_flag()),
        (
            "unicode path",
            zip().file(b"caf\x82", b"x").host(HOST_FAT).unicode_path("café"),
        ),
        (
            "file and directory",
            zip().file("a", b"file").file("a/b", b"below"),
        ),
        (
            "file and slash",
            zip().file("a", b"file").dir("a/").file("a/c", b"c"),
        ),
        (
            "below a link",
            zip().dir("real/").symlink("d", "real").file("d/f", b"below"),
        ),
        ("no modes", plain().host(HOST_NTFS).external_attributes(0x20)),
        ("device", zip().file("dev", b"data").unix_mode(0o020_644)),
        (
            "names of nothing",
            zip()
                .file("", b"x")
                .file(".", b"y")
                .file("/", b"z")
                .file("ok", b"ok"),
        ),
        (
            "long part",
            zip().file("x".repeat(256), b"x").file("y".repeat(255), b"y"),
        ),
        ("nul", zip().file("nu\0l", b"x").file("ok", b"ok")),
        ("control characters", zip().file("a\x1b[2J\nb", b"x")),
        (
            "extra fields",
            plain().extra(0xcafe, &[7; 40]).mtime(1_500_000_000).owner(1, 2),
        ),
        (
            "extra field cut off",
            plain().bend_central(|it| it.extra = vec![1, 0, 24, 0, 0, 0]),
        ),
        ("entry comment", plain().entry_comment("of the entry")),
    ];
    animals
        .into_iter()
        .map(|(name, zip)| (name, zip.build()))
        .collect()
}
