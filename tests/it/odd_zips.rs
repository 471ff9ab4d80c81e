//! Odd archives: shapes that are unusual and whole, entries that cannot be served, files that are no
//! archive at all. Odd names and attributes have their own files.

use std::fs;
use std::path::Path;

use optfs::archive::Archive;
use optfs::fs::{Fs, FsError, Kind, ROOT};
use tempfile::TempDir;

use crate::support::raw_zip::{HOST_FAT, RawZip, deflated};
use crate::support::seen::{attr, chain, list, mounted_values, names, paths, read, scene};

// Shapes of archives that are unusual and whole.

#[test]
fn zip64_fields_and_ends_are_read() {
    let fs = scene(
        RawZip::new()
            .file("a", b"first")
            .zip64()
            .file("b", b"second".repeat(50))
            .deflate()
            .zip64()
            .zip64_end(),
    );
    assert_eq!(read(&fs, "a").unwrap(), b"first");
    assert_eq!(read(&fs, "b").unwrap(), b"second".repeat(50));
    assert_eq!(attr(&fs, "a").size, 5);
}

#[test]
fn more_than_65535_entries_are_all_there() {
    let zip = (0..70_000).fold(RawZip::new(), |zip, number| {
        zip.file(format!("d/{number}"), number.to_string())
    });
    let fs = scene(zip);
    assert_eq!(names(&fs, attr(&fs, "d").ino).len(), 70_000);
    assert_eq!(read(&fs, "d/69999").unwrap(), b"69999");
}

#[test]
fn data_descriptors_are_read_with_and_without_their_signature() {
    let text = b"streamed ".repeat(20);
    let zip = RawZip::new()
        .file("stored", &text)
        .descriptor()
        .file("deflated", &text)
        .deflate()
        .descriptor();
    let zip = zip
        .file("bare", &text)
        .deflate()
        .descriptor()
        .bend_descriptor(|it| it.with_signature = false);
    let fs = scene(
        zip.file("wide", &text)
            .descriptor()
            .zip64()
            .file("after", b"after"),
    );
    for name in ["stored", "deflated", "bare", "wide"] {
        assert_eq!(read(&fs, name).unwrap(), text, "{name}");
    }
    assert_eq!(read(&fs, "after").unwrap(), b"after");
}

#[test]
fn bytes_before_the_archive_are_skipped_counted_or_not() {
    let zip = || {
        RawZip::new()
            .file("f", b"content")
            .file("g", b"deflated".repeat(9))
            .deflate()
    };
    for zip in [
        zip().prepend("#!/bin/sh\nexit\n"),
        zip().prepend_unnoticed("#!/bin/sh\nexit\n"),
    ] {
        let fs = scene(zip);
        assert_eq!(read(&fs, "f").unwrap(), b"content");
        assert_eq!(read(&fs, "g").unwrap(), b"deflated".repeat(9));
    }
}

#[test]
fn bytes_after_the_archive_are_not_heard() {
    let fs = scene(
        RawZip::new()
            .file("f", b"content")
            .append("\r\n-- trailing garbage --\0\0\0"),
    );
    assert_eq!(read(&fs, "f").unwrap(), b"content");
}

#[test]
fn an_end_record_inside_the_comment_is_not_the_end() {
    let fake = [&b"PK\x05\x06"[..], &[0; 18]].concat();
    for comment in [
        [&fake[..], b"tail"].concat(),
        fake.clone(),
        b"PK\x05\x06".to_vec(),
    ] {
        let fs = scene(RawZip::new().file("f", b"content").comment(&comment));
        assert_eq!(paths(&fs), ["f"], "comment {}", comment.escape_ascii());
    }
}

#[test]
fn an_empty_archive_is_an_empty_layer() {
    let bytes = RawZip::new().build();
    assert_eq!(bytes.len(), 22);
    assert_eq!(paths(&mounted_values(std::slice::from_ref(&bytes))), [""; 0]);
    assert_eq!(
        paths(&mounted_values(&[RawZip::new().file("f", b"").build(), bytes])),
        ["f"]
    );
}

#[test]
fn entries_that_share_their_data_are_all_served() {
    let zip = RawZip::new()
        .file("a", b"shared")
        .file("b", b"shared")
        .without_local();
    let fs = scene(zip.bend_central(|header| header.local_offset = 0));
    assert_eq!(read(&fs, "a").unwrap(), b"shared");
    assert_eq!(read(&fs, "b").unwrap(), b"shared");
}

#[test]
fn the_central_directory_is_believed_and_local_headers_are_not() {
    let zip = RawZip::new().file("central", b"content").bend_local(|header| {
        header.name = b"../local/name".to_vec();
        header.flags = 1;
        header.method = 99;
        header.crc = 0;
        (header.compressed_size, header.uncompressed_size) = (1, 2);
        header.extra = vec![0xff; 200];
    });
    let fs = scene(zip);
    assert_eq!(paths(&fs), ["central"]);
    assert_eq!(read(&fs, "central").unwrap(), b"content");
}

#[test]
fn an_entry_only_readers_from_the_front_see_is_not_there() {
    let fs = scene(
        RawZip::new()
            .file("hidden", b"")
            .without_central()
            .file("f", b"content"),
    );
    assert_eq!(paths(&fs), ["f"]);
    assert_eq!(read(&fs, "f").unwrap(), b"content");
}

#[test]
fn a_count_of_entries_that_lies_changes_nothing() {
    for count in [0, 1, 9, u16::MAX - 1] {
        let zip = RawZip::new().file("a", b"").file("b", b"").file("c", b"");
        let fs = scene(zip.bend_end(move |end| (end.entries, end.entries_on_disk) = (count, count)));
        assert_eq!(paths(&fs), ["a", "b", "c"], "said to be {count}");
    }
}

#[test]
fn an_archive_that_is_all_of_disk_two_is_whole() {
    let zip = RawZip::new()
        .file("f", b"content")
        .bend_central(|header| header.disk = 1);
    let fs = scene(zip.bend_end(|end| (end.disk, end.directory_disk) = (1, 1)));
    assert_eq!(read(&fs, "f").unwrap(), b"content");
}

// Entries that cannot be served (promise 6): listed, refused with archive, entry and reason, and the rest
// works.

#[test]
fn a_wrong_sum_is_refused() {
    for deflate in [false, true] {
        let zip = RawZip::new().file("bad", b"content").crc(0x1234_5678);
        let fs = scene(if deflate { zip.deflate() } else { zip }.file("good", b"good"));
        let reason = refused(&fs, "bad");
        assert!(reason.contains("12345678"), "names the sum: {reason}");
        assert_eq!(attr(&fs, "bad").size, 7);
        assert_eq!(read(&fs, "good").unwrap(), b"good");
    }
}

/// Said to be empty, and packed to more than is inflated at once: nothing is read for it.
#[test]
fn an_empty_entry_of_a_wrong_sum_is_refused_however_much_lies_behind_it() {
    let fs = scene(
        RawZip::new()
            .file("bad", b"")
            .crc(0x1234_5678)
            .bend_central(|header| header.compressed_size = 1 << 24)
            .file("good", b"")
            .bend_central(|header| header.compressed_size = 1 << 24),
    );
    assert!(refused(&fs, "bad").contains("12345678"));
    assert_eq!(read(&fs, "good").unwrap(), b"");
}

#[test]
fn an_encrypted_entry_is_listed_and_refused() {
    let fs = scene(
        RawZip::new()
            .file("secret", b"content")
            .mode(0o640)
            .flags(1)
            .file("good", b"good"),
    );
    assert_eq!((attr(&fs, "secret").mode, attr(&fs, "secret").size), (0o640, 7));
    let reason = refused(&fs, "secret");
    assert!(reason.contains("encrypted"), "says why: {reason}");
    assert_eq!(read(&fs, "good").unwrap(), b"good");
}

#[test]
fn an_unknown_method_is_listed_and_refused() {
    let fs = scene(
        RawZip::new()
            .file("f", b"content")
            .method(77)
            .file("good", b"good"),
    );
    assert_eq!(attr(&fs, "f").size, 7);
    let reason = refused(&fs, "f");
    assert!(reason.contains("77"), "names the method: {reason}");
    assert_eq!(read(&fs, "good").unwrap(), b"good");
}

#[test]
fn a_size_declared_too_small_is_refused() {
    let zip = RawZip::new()
        .file("deflated", b"content".repeat(9))
        .deflate()
        .declared_size(10);
    let fs = scene(zip.file("stored", b"content").declared_size(3));
    assert_eq!(attr(&fs, "deflated").size, 10);
    refused(&fs, "deflated");
    refused(&fs, "stored");
}

#[test]
fn a_size_declared_too_large_is_refused_and_nothing_is_allocated_for_it() {
    for size in [8, 1000, 1 << 20, 1 << 30, u32::MAX - 1] {
        let zip = RawZip::new()
            .file("deflated", b"content")
            .deflate()
            .declared_size(size);
        let fs = scene(
            zip.file("stored", b"content")
                .declared_size(size)
                .file("good", b"good"),
        );
        assert_eq!(attr(&fs, "deflated").size, u64::from(size));
        refused(&fs, "deflated");
        refused(&fs, "stored");
        assert_eq!(read(&fs, "good").unwrap(), b"good");
    }
}

#[test]
fn a_size_of_exabytes_is_refused() {
    let wide = |content: u64, packed: u64| [content, packed, 0].map(u64::to_le_bytes).concat();
    for (content, packed) in [
        (1 << 60, 7),
        (1 << 60, 1 << 60),
        (u64::MAX, u64::MAX),
        (7, u64::MAX),
    ] {
        let field = [&[1, 0, 24, 0][..], &wide(content, packed)].concat();
        let zip = RawZip::new()
            .file("f", b"content")
            .zip64()
            .bend_central(move |header| header.extra = field.clone());
        let fs = scene(zip.file("good", b"good"));
        refused(&fs, "f");
        assert_eq!(read(&fs, "good").unwrap(), b"good");
    }
}

#[test]
fn data_that_does_not_decode_is_refused() {
    let fs = scene(
        RawZip::new()
            .file("f", b"content")
            .raw_data(8, b"\xff\xff no deflate"),
    );
    refused(&fs, "f");
}

#[test]
fn data_that_is_cut_off_is_refused() {
    let content = b"some content ".repeat(40);
    let packed = deflated(&content);
    let fs = scene(
        RawZip::new()
            .file("f", &content)
            .raw_data(8, &packed[..packed.len() / 2]),
    );
    refused(&fs, "f");
}

#[test]
fn data_said_to_go_on_behind_the_file_is_refused() {
    let zip = RawZip::new().file("f", b"content").bend_central(|header| {
        (header.compressed_size, header.uncompressed_size) = (1 << 20, 1 << 20);
    });
    refused(&scene(zip), "f");
}

#[test]
fn a_local_header_outside_of_the_file_is_refused() {
    for offset in [1, 40, 5000, u32::MAX - 1] {
        let zip = RawZip::new().file("good", b"good").file("f", b"content");
        let fs = scene(zip.bend_central(move |header| header.local_offset = offset));
        refused(&fs, "f");
        assert_eq!(read(&fs, "good").unwrap(), b"good");
    }
}

#[test]
fn an_unreadable_file_still_hides_what_lies_below() {
    let below = RawZip::new().file("f", b"below").file("d/x", b"x").build();
    let above = RawZip::new()
        .file("f", b"above")
        .method(77)
        .file("d", b"file")
        .flags(1)
        .build();
    let fs = mounted_values(&[below, above]);
    assert_eq!(paths(&fs), ["d", "f"]);
    assert!(matches!(read(&fs, "f"), Err(FsError::Damaged(_))));
}

// Files that are no whole archives: one message that names the file.

#[test]
fn an_empty_file_is_no_archive() {
    let message = refusal(b"");
    assert!(message.contains("empty"), "{message}");
}

#[test]
fn a_text_is_no_archive() {
    let message = refusal(b"this is not the archive you are looking for");
    assert!(message.contains("not a zip"), "{message}");
}

#[test]
fn a_download_that_broke_off_is_said_to_be_one() {
    let whole = RawZip::new().file("f", b"content").file("g", b"more").build();
    for len in [10, whole.len() / 2, whole.len() - 1] {
        let message = refusal(&whole[..len]);
        assert!(
            message.contains("incomplete") || message.contains("truncated"),
            "{len} bytes: {message}"
        );
    }
    refusal(&RawZip::new().file("f", b"content").without_end().build());
}

#[test]
fn a_directory_cut_out_of_the_archive_is_refused() {
    let zip = RawZip::new()
        .file("f", b"content")
        .bend_end(|end| end.directory_offset = 1 << 30);
    refusal(&zip.build());
    let zip = RawZip::new()
        .file("f", b"content")
        .file("g", b"")
        .bend_central(|header| header.signature = 0);
    refusal(&zip.build());
}

#[test]
fn one_disk_of_several_is_refused() {
    let zip = RawZip::new().file("f", b"content").bend_end(|end| {
        (end.disk, end.entries_on_disk, end.entries) = (2, 1, 5);
    });
    let message = refusal(&zip.build());
    assert!(message.contains("split") || message.contains("disk"), "{message}");
}

#[test]
fn a_zip64_end_that_is_not_there_is_refused() {
    refusal(
        &RawZip::new()
            .file("f", b"")
            .bend_locator(|locator| locator.end_offset = 1 << 40)
            .build(),
    );
    refusal(
        &RawZip::new()
            .file("f", b"")
            .bend_zip64_end(|end| end.signature = 0)
            .build(),
    );
}

#[test]
fn a_directory_or_a_missing_file_is_no_archive() {
    let scratch = TempDir::new().unwrap();
    let message = refusal_of(scratch.path());
    assert!(message.contains("directory"), "{message}");
    let message = refusal_of(&scratch.path().join("absent.zip"));
    assert!(
        message.contains("No such file") || message.contains("no such file"),
        "{message}"
    );
}

/// Whatever byte is bent and wherever the file ends, the answer is a tree or an error: no panic, no endless
/// loop.
#[test]
fn no_bent_byte_breaks_more_than_the_archive() {
    let whole = RawZip::new()
        .file("a/stored", b"stored")
        .mtime(1_500_000_000)
        .file("a/deflated", b"deflated ".repeat(20))
        .deflate()
        .descriptor()
        .symlink("l", "a/stored")
        .ntfs_mtime(132_000_000_000_000_000)
        .file(b"caf\x82", b"x")
        .host(HOST_FAT)
        .unicode_path("café")
        .file("wide", b"wide")
        .zip64()
        .dir("d/")
        .zip64_end()
        .comment("comment")
        .build();
    let scratch = TempDir::new().unwrap();
    let path = scratch.path().join("bent.zip");
    for at in 0..whole.len() {
        for bend in [
            |_| 0,
            |_| 0xff,
            |byte| byte ^ 1,
            |byte| byte ^ 0x80,
            |byte: u8| byte.wrapping_add(2),
        ] {
            let mut bent = whole.clone();
            bent[at] = bend(bent[at]);
            open_and_ask_everything(&path, &bent);
        }
        open_and_ask_everything(&path, &whole[..at]);
        open_and_ask_everything(&path, &whole[at..]);
    }
}

fn open_and_ask_everything(path: &Path, bytes: &[u8]) {
    fs::write(path, bytes).unwrap();
    if Archive::open(path).is_err() {
        return;
    }
    let fs = mounted_values(&[bytes.to_vec()]);
    let mut directories = vec![ROOT];
    while let Some(directory) = directories.pop() {
        for listed in list(&fs, directory, 0) {
            let attr = fs
                .lookup(directory, &listed.name)
                .expect("what is listed is there");
            match attr.kind {
                Kind::Directory if listed.name == b"." || listed.name == b".." => {}
                Kind::Directory => directories.push(attr.ino),
                // An error is an answer; so are bytes, if the bent byte was not one of theirs.
                Kind::File => drop(fs.read(attr.ino, 0, 1 << 20, <[u8]>::len)),
                Kind::Symlink => drop(fs.readlink(attr.ino)),
            }
        }
    }
}

/// What reading an entry is refused with: the archive, the entry, the reason.
#[track_caller]
fn refused(fs: &Fs, path: &str) -> String {
    match fs.read(attr(fs, path).ino, 0, 4096, <[u8]>::to_vec) {
        Err(FsError::Damaged(reason)) => {
            assert!(
                reason.contains("layer0.zip") && reason.contains(path),
                "names archive and entry: {reason}"
            );
            reason.to_string()
        }
        Err(error) => panic!("{path}: expected damage, found: {error}"),
        Ok(bytes) => panic!("{path}: expected damage, found \"{}\"", bytes.escape_ascii()),
    }
}

/// What opening these bytes is refused with.
#[track_caller]
fn refusal(bytes: &[u8]) -> String {
    let scratch = TempDir::new().unwrap();
    let path = scratch.path().join("odd.zip");
    fs::write(&path, bytes).unwrap();
    refusal_of(&path)
}

#[track_caller]
fn refusal_of(path: &Path) -> String {
    let error = Archive::open(path).expect_err("no archive");
    let message = chain(&error);
    assert!(
        message.contains(path.to_str().unwrap()),
        "names the file: {message}"
    );
    message
}
