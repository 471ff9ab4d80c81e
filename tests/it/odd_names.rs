//! Odd names: what an archive may call an entry, and the name (or none) that optfs shows for it (promise
//! 3); and archives that name one path twice (promises 1 and 2). Conflicts between layers are the business
//! of `merge`.

use optfs::fs::{Kind, ROOT};

use crate::support::raw_zip::{HOST_FAT, HOST_NTFS, HOST_UNIX, RawZip};
use crate::support::seen::{ARCHIVE_MTIME, attr, mounted_values, names, paths, read, scene};

#[test]
fn a_leading_slash_is_folded_away() {
    let fs = scene(RawZip::new().file("/etc/x", b"x").file("//y", b"y"));
    assert_eq!(paths(&fs), ["etc", "etc/x", "y"]);
    assert_eq!(read(&fs, "etc/x").unwrap(), b"x");
}

#[test]
fn a_name_that_climbs_is_left_out() {
    let zip = RawZip::new()
        .file("../../x", b"")
        .file("a/../b", b"")
        .file("c/..", b"")
        .file("..", b"")
        .file("kept", b"");
    assert_eq!(paths(&scene(zip)), ["kept"]);
}

#[test]
fn dots_that_do_not_climb_are_ordinary() {
    let fs = scene(
        RawZip::new()
            .file("...", b"")
            .file("a..b/..c", b"")
            .file(".hidden", b""),
    );
    assert_eq!(paths(&fs), ["...", ".hidden", "a..b", "a..b/..c"]);
}

#[test]
fn dot_parts_and_doubled_slashes_are_folded_away() {
    let fs = scene(
        RawZip::new()
            .file("./a", b"1")
            .file("b/./c", b"2")
            .file("d//e", b"3")
            .dir("./f//"),
    );
    assert_eq!(paths(&fs), ["a", "b", "b/c", "d", "d/e", "f"]);
    assert_eq!(read(&fs, "d/e").unwrap(), b"3");
}

#[test]
fn a_backslash_is_an_ordinary_character_whoever_wrote_it() {
    let fs = scene(
        RawZip::new()
            .file(r"a\b", b"")
            .file(r"c\d", b"")
            .host(HOST_FAT)
            .external_attributes(0),
    );
    assert_eq!(names(&fs, ROOT), [br"a\b", br"c\d"]);
}

#[test]
fn names_that_differ_by_case_are_two_names() {
    let fs = scene(RawZip::new().file("README", b"upper").file("readme", b"lower"));
    assert_eq!(read(&fs, "README").unwrap(), b"upper");
    assert_eq!(read(&fs, "readme").unwrap(), b"lower");
}

#[test]
fn a_dos_name_that_is_not_utf8_is_cp437() {
    for host in [HOST_FAT, HOST_NTFS] {
        let fs = scene(RawZip::new().file(b"caf\x82", b"x").host(host));
        assert_eq!(names(&fs, ROOT), ["café".as_bytes()]);
    }
}

#[test]
fn a_unix_name_that_is_not_utf8_keeps_its_bytes() {
    let fs = scene(RawZip::new().file(b"caf\x82", b"x"));
    assert_eq!(names(&fs, ROOT), [b"caf\x82"]);
}

#[test]
fn a_name_that_is_utf8_without_the_flag_is_taken_as_it_is() {
    for host in [HOST_FAT, HOST_UNIX] {
        let fs = scene(RawZip::new().file("café", b"x").host(host));
        assert_eq!(names(&fs, ROOT), ["café".as_bytes()]);
    }
}

#[test]
fn a_utf8_flag_on_bytes_that_are_not_keeps_the_bytes() {
    let fs = scene(
        RawZip::new()
            .file(b"bad\xff", b"x")
            .utf8_flag()
            .file("good", b"y"),
    );
    assert_eq!(names(&fs, ROOT), [&b"bad\xff"[..], b"good"]);
}

#[test]
fn the_unicode_path_field_names_the_entry_when_its_sum_fits() {
    let fs = scene(
        RawZip::new()
            .file(b"caf\x82", b"x")
            .host(HOST_FAT)
            .unicode_path("kaffee"),
    );
    assert_eq!(paths(&fs), ["kaffee"]);
}

#[test]
fn a_unicode_path_field_with_another_sum_is_stale_and_not_heard() {
    let fs = scene(
        RawZip::new()
            .file("renamed", b"x")
            .unicode_path_with_sum("old", 0x1234_5678),
    );
    assert_eq!(paths(&fs), ["renamed"]);
}

#[test]
fn the_unicode_path_field_cannot_bring_an_illegal_name_in() {
    let fs = scene(
        RawZip::new()
            .file("good", b"x")
            .unicode_path("../bad")
            .file("kept", b"y"),
    );
    assert_eq!(paths(&fs), ["kept"]);
}

#[test]
fn a_name_of_nothing_is_left_out() {
    let fs = scene(
        RawZip::new()
            .file("", b"")
            .file(".", b"")
            .dir("/")
            .dir("./")
            .dir(".//.")
            .file("kept", b""),
    );
    assert_eq!(paths(&fs), ["kept"]);
}

#[test]
fn a_part_of_256_bytes_is_left_out_and_one_of_255_is_kept() {
    let (longest, too_long) = ("x".repeat(255), "y".repeat(256));
    let fs = scene(
        RawZip::new()
            .file(&longest, b"")
            .file(&too_long, b"")
            .file(format!("{too_long}/a"), b""),
    );
    assert_eq!(paths(&fs), [longest]);
}

#[test]
fn a_path_longer_than_the_kernels_limit_is_kept_part_by_part() {
    let deep = vec!["part"; 1200].join("/");
    let fs = scene(RawZip::new().file(&deep, b"deep"));
    assert_eq!(read(&fs, &deep).unwrap(), b"deep");
}

#[test]
fn a_name_with_nul_is_left_out() {
    let fs = scene(
        RawZip::new()
            .file(b"nu\0l", b"")
            .file(b"nul\0", b"")
            .file("kept", b""),
    );
    assert_eq!(paths(&fs), ["kept"]);
}

#[test]
fn a_name_with_control_characters_is_kept() {
    let fs = scene(RawZip::new().file("new\nline", b"").file("escape\x1b[31m", b""));
    assert_eq!(names(&fs, ROOT), [&b"escape\x1b[31m"[..], b"new\nline"]);
}

#[test]
fn a_whiteout_of_other_filesystems_is_an_ordinary_file() {
    let below = RawZip::new().file("d/x", b"x").file("d/y", b"y").build();
    let above = RawZip::new()
        .file("d/.wh.x", b"")
        .file("d/.wh..wh..opq", b"")
        .build();
    assert_eq!(
        paths(&mounted_values(&[below, above])),
        ["d", "d/.wh..wh..opq", "d/.wh.x", "d/x", "d/y"]
    );
}

// One path named twice.

#[test]
fn the_last_of_two_entries_with_one_name_wins() {
    let fs = scene(
        RawZip::new()
            .file("f", b"first")
            .mode(0o600)
            .file("other", b"")
            .file("f", b"last")
            .mode(0o640),
    );
    assert_eq!(read(&fs, "f").unwrap(), b"last");
    assert_eq!(attr(&fs, "f").mode, 0o640);
    assert_eq!(paths(&fs), ["f", "other"]);
}

#[test]
fn names_that_fold_to_one_are_one_name() {
    let fs = scene(RawZip::new().file("a/f", b"first").file("./a//f", b"last"));
    assert_eq!(paths(&fs), ["a", "a/f"]);
    assert_eq!(read(&fs, "a/f").unwrap(), b"last");
}

#[test]
fn a_file_that_is_also_a_directory_is_what_came_last() {
    let directory_last = scene(RawZip::new().file("a", b"file").file("a/b", b"below"));
    assert_eq!(paths(&directory_last), ["a", "a/b"]);
    let file_last = scene(RawZip::new().file("a/b", b"below").file("a", b"file"));
    assert_eq!(paths(&file_last), ["a"]);
    assert_eq!(read(&file_last, "a").unwrap(), b"file");
}

#[test]
fn a_name_with_and_without_a_slash_is_what_came_last() {
    let directory_last = scene(RawZip::new().file("a", b"file").dir("a/"));
    assert_eq!(attr(&directory_last, "a").kind, Kind::Directory);
    let file_last = scene(RawZip::new().dir("a/").file("a", b"file"));
    assert_eq!(attr(&file_last, "a").kind, Kind::File);
}

#[test]
fn an_entry_below_a_symlink_replaces_it_and_does_not_follow() {
    let link_first = scene(RawZip::new().dir("real/").symlink("d", "real").file("d/f", b"f"));
    assert_eq!(paths(&link_first), ["d", "d/f", "real"]);
    let link_last = scene(RawZip::new().dir("real/").file("d/f", b"f").symlink("d", "real"));
    assert_eq!(paths(&link_last), ["d", "real"]);
    assert_eq!(link_last.readlink(attr(&link_last, "d").ino).unwrap(), b"real");
}

#[test]
fn an_implicit_directory_takes_0755_and_the_archives_time() {
    let fs = scene(RawZip::new().file("a/b/f", b""));
    for path in ["", "a", "a/b"] {
        let directory = attr(&fs, path);
        assert_eq!(
            (directory.mode, directory.mtime.seconds),
            (0o755, ARCHIVE_MTIME),
            "/{path}"
        );
    }
}

#[test]
fn a_directory_named_after_its_children_still_gives_mode_and_time() {
    let fs = scene(
        RawZip::new()
            .file("a/f", b"f")
            .dir("a/")
            .mode(0o700)
            .mtime(1_234_567_890),
    );
    assert_eq!(
        (attr(&fs, "a").mode, attr(&fs, "a").mtime.seconds),
        (0o700, 1_234_567_890)
    );
    assert_eq!(read(&fs, "a/f").unwrap(), b"f");
}
