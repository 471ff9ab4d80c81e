//! The page of a stack: what it says, what a browser makes of it, and that no name in an archive can make it do
//! anything.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use optfs::archive::Archive;
use optfs::explain::{Line, Tally, outline};
use optfs::stack::Stack;
use proptest::prelude::*;

use crate::look::Scene;
use crate::real_layers::layers;
use crate::support::browser::opened;
use crate::support::command::{optfs, output};
use crate::support::generate::{holds, stacks};
use crate::support::raw_zip::RawZip;

/// The pages of a scene lie beside its layers.
fn page_of(scene: &Scene) -> PathBuf {
    let page = scene.scratch.path().join("page.html");
    let said = scene.ask(&["report", "--html", "page.html"]);
    assert_eq!((said.code, said.stdout.as_str()), (Some(0), ""), "{said:?}");
    assert!(said.stderr.starts_with("optfs: page.html: "), "{said:?}");
    page
}

/// Parts of a text between two marks, one after the other.
fn between<'t>(text: &'t str, begin: &'t str, end: &'t str) -> impl Iterator<Item = &'t str> {
    text.split(begin).skip(1).map(move |rest| {
        let (part, _) = rest.split_once(end).expect("what begins ends");
        part
    })
}

#[test]
fn without_a_script_the_tables_say_what_stat_and_shadows_say() {
    let scene = Scene::new();
    let page = fs::read_to_string(page_of(&scene)).unwrap();
    for said in [
        // Lambda's limits.
        "<td>layers</td><td class=\"n\">3</td><td class=\"n\">5</td><td class=\"n\">60 %</td><td class=\"n left\">2</td>",
        "<td class=\"n\">250.0 MiB</td><td class=\"n\">1 %</td><td class=\"n left\">247.1 MiB</td>",
        "Merged: 4 files, 2 directories, 4 symlinks; 2.9 MiB.",
        "<b>100.0 %</b> <span>efficiency; 41 B wasted</span>",
        // Two files of each of the lower layers are hidden, and one was buried.
        "4 files hidden: 2 identical to what is seen, 2 with other content; 25 B unzipped, 25 B zipped.",
        "<b>1</b> differ, <b>1</b> identical",
        "1 place, where layers do not agree whether a file, a link or a directory stands there: 1 name lost, 6 B.",
        "<td class=\"path\">etc</td>",
        "No package is torn, of 0 packages.",
    ] {
        assert!(page.contains(said), "{said}: {page}");
    }
}

#[test]
fn a_browser_draws_the_tree_and_goes_where_the_address_says() {
    let scene = Scene::new();
    let page = page_of(&scene);
    let drawn = opened(&page, "");
    let cells: Vec<_> = between(&drawn, "aria-label=\"", "\"").collect();
    assert!(cells.contains(&"large, 2.9 MiB, layer 1, base.zip"), "{cells:?}");
    // By the number of files every name has its place.
    let by_files = opened(&page, "#by=files");
    let cells: Vec<_> = between(&by_files, "aria-label=\"", "\"").collect();
    for cell in [
        "large, 2.9 MiB, layer 1, base.zip",
        "bin/tool, 6 B, layer 3, top.zip",
        "lib/, 4 B, 1 name",
        "etc, 10 B, layer 3, top.zip",
        "lib64, 3 B, layer 2, middle.zip",
    ] {
        assert!(cells.contains(&cell), "{cell}: {cells:?}");
    }
    // What hides other content is hatched, what hides the same is not.
    let inside = opened(&page, "#at=bin");
    let hatched = "class=\"c2 hides\"";
    assert!(inside.contains(hatched), "{inside}");
    assert!(inside.contains("<b>bin</b>"), "{inside}");
    let inside = opened(&page, "#at=lib");
    assert!(inside.contains("class=\"c2\""), "{inside}");
    assert!(!inside.contains(hatched), "{inside}");
}

/// The page drives itself: keys are sent to the cell that has the focus, and the title tells which that is.
#[test]
fn keys_move_between_cells_open_a_directory_and_go_up() {
    let scene = Scene::new();
    let page = page_of(&scene);
    let drive = "
        const focused = () => document.activeElement.getAttribute('aria-label');
        const press = (key) => document.activeElement.dispatchEvent(new KeyboardEvent('keydown', { key, bubbles: true }));
        const seen = [];
        cells.find((cell) => cell.element.tabIndex === 0).element.focus({ focusVisible: true });
        for (const key of ['ArrowRight', 'ArrowDown', 'ArrowUp', 'ArrowLeft']) { press(key); seen.push(focused()); }
        const stops = cells.filter((cell) => cell.element.tabIndex === 0).length;
        const directory = cells.find((cell) => cell.element.href).element;
        directory.focus({ focusVisible: true });
        // A window that nobody looks at hears of no focus.
        directory.dispatchEvent(new PointerEvent('pointermove', { bubbles: true }));
        const said = tip.hidden ? 'nothing' : tip.textContent;
        document.activeElement.click();
        addEventListener('hashchange', () => {
            seen.push(crumbs.textContent);
            if (state.at) press('Backspace');
            else document.title = JSON.stringify([new Set(seen).size, stops, said, seen.at(-2), seen.at(-1), focused()]);
        });
    ";
    let source = fs::read_to_string(&page).unwrap();
    let end = "show();\n})();\n</script>";
    assert!(source.contains(end), "{source}");
    fs::write(
        &page,
        source.replace(end, &format!("show();\n{drive}\n}})();\n</script>")),
    )
    .unwrap();
    let drawn = opened(&page, "#by=files");
    let title = between(&drawn, "<title>", "</title>").next().unwrap();
    let told: serde_json::Value = serde_json::from_str(title).unwrap_or_else(|e| panic!("{e}: {title}"));
    let distinct = told[0].as_u64().unwrap();
    assert!(distinct >= 5, "the arrows stay where they are: {told}");
    assert_eq!(told[1], 1, "one stop for the tabulator: {told}");
    assert!(
        told[2].as_str().unwrap().ends_with("% of all3 top.zip: 6 B"),
        "{told}"
    );
    assert_eq!(told[3], "/opt/bin  6 B in 1 name", "{told}");
    assert_eq!(told[4], "/opt  2.9 MiB in 8 names", "{told}");
    assert_eq!(told[5], "bin/, 6 B, 1 name", "back where one came from: {told}");
}

#[test]
fn searching_finds_all_words_in_any_order_and_dims_the_rest() {
    let scene = Scene::new();
    let page = page_of(&scene);
    let found = opened(&page, "#search=TOOL+bin&by=files");
    assert!(found.contains("1 of 10 paths"), "{found}");
    assert!(
        found.contains("href=\"#at=bin&amp;search=TOOL+bin&amp;by=files\">bin/tool</a>"),
        "{found}"
    );
    assert!(found.contains("class=\"c0 dim\""), "{found}");
    let found = opened(&page, "#search=nowhere");
    assert!(found.contains("0 of 10 paths"), "{found}");
}

#[test]
fn names_from_archives_do_nothing() {
    let attack = |what: &str| {
        format!("</script><img src=x onerror={what}><svg onload={what}>\" onfocus={what} autofocus '")
    };
    let attack = attack("document.title=1");
    let odd = format!("odd/{attack}\u{1b}[2J\n\u{202e}&amp;<!--");
    let package = format!("python/{}-1.dist-info/METADATA", "x<b>");
    let layer = |version: &str| {
        let metadata = format!("Metadata-Version: 2.1\nName: <img src=x onerror=a>\nVersion: {version}<i>\n");
        RawZip::new()
            .file(&odd, version)
            .file(format!("{attack}/{version}"), b"here")
            .file(format!("../{attack}"), b"not here")
            .file(package.replace('1', version), metadata)
            .file("both", b"")
    };
    let scene = Scene::of(&[
        (
            "<b>one<script>.zip",
            layer("1").file(format!("kinds/{attack}/below"), b"lost"),
        ),
        ("two.zip", layer("2").file("kinds", b"a file")),
    ]);
    let page = scene.scratch.path().join("page.html");
    scene.ask(&[
        "report",
        "--html",
        "page.html",
        "--title",
        "</title><script>alert(1)</script>",
    ]);
    let source = fs::read_to_string(&page).unwrap();
    assert_eq!(source.matches("<script").count(), 2, "{source}");
    assert!(!source.chars().any(|c| c.is_control() && c != '\n'), "{source}");
    for tag in ["<img", "<svg", "<b>one", "<!--", "\u{202e}"] {
        assert!(!source.contains(tag), "{tag}: {source}");
    }
    for fragment in ["", "#search=onload", "#at=odd&by=files"] {
        let drawn = opened(&page, fragment);
        // Had any of it run, the title would be another.
        assert!(
            drawn.contains("<title>&lt;/title&gt;&lt;script&gt;alert(1)&lt;/script&gt;</title>"),
            "{drawn}"
        );
        for tag in ["<img", "<svg", "<script>alert"] {
            assert!(!drawn.contains(tag), "{tag}: {drawn}");
        }
        assert!(
            drawn.contains("onload=document.title=1"),
            "the name is shown: {drawn}"
        );
    }
}

#[test]
fn the_page_loads_nothing_from_anywhere() {
    let scene = Scene::new();
    let source = fs::read_to_string(page_of(&scene)).unwrap();
    assert!(source.contains("content=\"default-src 'none'; "), "{source}");
    for outside in ["http:", "https:", "src=", "url(", "@import", "<link", "<iframe"] {
        assert!(!source.contains(outside), "{outside}: {source}");
    }
}

#[test]
fn the_file_is_replaced_whole_and_nothing_else_is_touched() {
    let scene = Scene::new();
    let page = page_of(&scene);
    let first = fs::read_to_string(&page).unwrap();
    // The same on standard output, and the same again: nothing in it depends on when it was made.
    assert_eq!(scene.says(&["report", "--html", "-"]), first);
    let titled = scene.says(&["report", "--html", "-", "--title", "Our <layers>"]);
    assert!(titled.contains("<h1>Our &lt;layers&gt;</h1>"), "{titled}");
    // A layer that cannot be used leaves the old page as it was.
    let broken = scene.ask(&["report", "--html", "page.html", "--layer", "page.html"]);
    assert_eq!(broken.code, Some(3), "{broken:?}");
    assert_eq!(fs::read_to_string(&page).unwrap(), first);
    fs::create_dir(scene.scratch.path().join("directory")).unwrap();
    let refused = scene.ask(&["report", "--html", "directory"]);
    assert_eq!(refused.code, Some(6), "{refused:?}");
    assert!(
        refused.stderr.contains("directory: is a directory"),
        "{refused:?}"
    );
    let refused = scene.ask(&["report", "--html", "missing/page.html"]);
    assert!(refused.stderr.contains("the directory is missing"), "{refused:?}");
    let names = fs::read_dir(scene.scratch.path()).unwrap();
    let mut names: Vec<_> = names
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert_eq!(
        names,
        ["base.zip", "directory", "middle.zip", "page.html", "top.zip"]
    );
}

/// Two layers that AWS publishes: what tears them is on the page, and every file is found in the picture.
#[test]
fn real_layers_are_shown_with_what_is_wrong_with_them() {
    let scratch = tempfile::TempDir::new().unwrap();
    let page = scratch.path().join("page.html");
    let said = write(&["proxy-agent-v5", "proxy-agent-v6"], &page);
    assert!(said.len() < 200_000, "{}", said.len());
    assert!(
        said.contains("11 of 62 packages: one version unzipped over another"),
        "{said}"
    );
    assert!(said.contains("342 files hidden: 177 identical"), "{said}");
    assert!(said.contains("leave it out of proxy-agent-v5.zip"), "{said}");
    let drawn = opened(&page, "#search=proxy-agent/package.json");
    assert!(
        drawn.contains(">nodejs/node_modules/proxy-agent/package.json</a>"),
        "{drawn}"
    );
    assert!(drawn.matches("aria-label=\"nodejs/").count() > 300, "{drawn}");
}

/// Of a tree with too many names the heaviest are kept, and nothing of the rest is lost.
#[test]
fn an_outline_keeps_the_heaviest_and_sums_up_the_rest() {
    holds(256, stacks(), |layers| {
        let archives = layers
            .iter()
            .map(|layer| Archive::from_source(Path::new("layer.zip"), Arc::new(layer.zip())).unwrap());
        let stack = Stack::merge(archives.collect()).unwrap();
        let whole = outline(&stack, usize::MAX);
        prop_assert_eq!(whole.len(), stack.node_count());
        prop_assert!(whole.iter().all(|line| line.rest.is_empty()));
        let size = |line: &Line| match stack.is_directory(line.node) {
            true => 0,
            false => line.bytes,
        };
        let all: u64 = whole.iter().map(size).sum();
        let files = whole.iter().filter(|line| !stack.is_directory(line.node)).count();
        prop_assert_eq!(whole[0].bytes, all);
        for most in 0..whole.len() {
            let lines = outline(&stack, most);
            prop_assert_eq!(lines.len(), most.max(1));
            let rest: Tally = lines.iter().map(|line| line.rest).sum();
            prop_assert_eq!(lines.iter().map(size).sum::<u64>() + rest.bytes, all);
            let named = lines.iter().filter(|line| !stack.is_directory(line.node)).count();
            prop_assert_eq!(named as u64 + rest.entries, files as u64);
            // Every line but the root's is counted by the directory that it lies in, which comes before it.
            for (number, line) in lines.iter().enumerate() {
                let inside = lines[number + 1..]
                    .iter()
                    .filter(|below| stack.parent(below.node) == line.node);
                prop_assert_eq!(inside.count(), line.named);
            }
            let least = lines.iter().map(|line| line.bytes).min();
            let left_out = whole
                .iter()
                .filter(|line| lines.iter().all(|kept| kept.node != line.node));
            prop_assert!(left_out.map(|line| line.bytes).max() <= least);
        }
        Ok(())
    });
}

fn write(names: &[&str], page: &Path) -> String {
    let mut report = optfs();
    report.arg("report");
    for layer in layers(names) {
        report.arg("--layer").arg(layer);
    }
    output(report.arg("--html").arg(page));
    fs::read_to_string(page).unwrap()
}
