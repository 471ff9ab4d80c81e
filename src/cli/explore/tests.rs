//! Keys in, pictures out: screens of 80×24 over a small stack, compared with those in `screens/`.
//!
//! After a change that is meant, `OPTFS_DRAW_SCREENS=1 cargo test --lib explore` draws them anew; read the
//! difference before it is committed.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use ratatui::layout::Rect;
use ratatui::style::Color;
use tempfile::TempDir;
use zip::write::SimpleFileOptions;
use zip::{DateTime, ZipWriter};

use super::*;
use ratatui::buffer::Buffer;

struct Scene {
    _scratch: TempDir,
    view: View,
}

impl Scene {
    /// Three layers in which everything happens that the screen tells about.
    fn new() -> Scene {
        let base = "import os\n\ndef one():\n    return 1\n\ndef two():\n\treturn 2\n";
        let top = "import os\n\ndef one():\n    return 'one'\n\ndef two():\n\treturn 2\n\nprint(two())\n";
        let bytes: Vec<u8> = (0..=255).collect();
        Scene::of(&[
            ("base.zip", &|zip: &mut Zip| {
                zip.dir("bin/", 0o755);
                zip.file("bin/tool", 0o755, b"one\n");
                zip.file("etc/app/a.conf", 0o644, b"a = 1\n");
                zip.file("etc/app/b.conf", 0o644, b"b = 2\n");
                zip.file("lib/data.bin", 0o644, &bytes.repeat(8));
                zip.file("lib/same.txt", 0o644, b"the same everywhere\n");
                zip.file("python/app/main.py", 0o644, base.as_bytes());
            }),
            ("middle.zip", &|zip: &mut Zip| {
                zip.file("lib/same.txt", 0o644, b"the same everywhere\n");
                zip.link("lib64", "lib");
                zip.file("odd/\x1b[2Jname\n.txt", 0o600, b"");
                zip.file("odd/日本語.txt", 0o644, "日本語\n".as_bytes());
                zip.file("python/app/main.py", 0o644, top.as_bytes());
            }),
            ("top.zip", &|zip: &mut Zip| {
                zip.file("bin/tool", 0o755, b"three\n");
                zip.file("etc/app", 0o644, b"a file now\n");
                zip.file("lib/same.txt", 0o644, b"the same everywhere\n");
            }),
        ])
    }

    fn of(layers: &[(&str, Fill<'_>)]) -> Scene {
        let scratch = TempDir::new().expect("room for a directory");
        let paths: Vec<PathBuf> = layers
            .iter()
            .map(|(name, fill)| {
                let path = scratch.path().join(name);
                let mut zip = Zip::create(&path);
                fill(&mut zip);
                zip.0.finish().expect("room for a zip");
                path
            })
            .collect();
        let stack = layers::open(&paths).expect("zips of our own");
        Scene {
            view: View {
                fs: Fs::new(Arc::new(stack), Options::default()),
            },
            _scratch: scratch,
        }
    }

    fn state(&self) -> State<'_> {
        State::new(&self.view, Theme::with_colours(true), (80, 24))
    }
}

/// What puts entries into a layer.
type Fill<'a> = &'a dyn Fn(&mut Zip);

struct Zip(ZipWriter<File>);

impl Zip {
    fn create(path: &Path) -> Zip {
        Zip(ZipWriter::new(File::create(path).expect("our own directory")))
    }

    fn options(mode: u32) -> SimpleFileOptions {
        let time = DateTime::from_date_and_time(2024, 5, 6, 7, 8, 10).expect("a date");
        SimpleFileOptions::default()
            .unix_permissions(mode)
            .last_modified_time(time)
    }

    fn file(&mut self, name: &str, mode: u32, bytes: &[u8]) {
        self.0
            .start_file(name, Zip::options(mode))
            .expect("room for an entry");
        self.0.write_all(bytes).expect("room for bytes");
    }

    fn dir(&mut self, name: &str, mode: u32) {
        self.0
            .add_directory(name, Zip::options(mode))
            .expect("room for an entry");
    }

    fn link(&mut self, name: &str, target: &str) {
        self.0
            .add_symlink(name, target, Zip::options(0o777))
            .expect("room for a link");
    }
}

/// Presses keys: letters as they are, and the signs that keys are drawn with.
fn press(state: &mut State<'_>, keys: &str) {
    for key in keys.chars() {
        let code = match key {
            '↑' => KeyCode::Up,
            '↓' => KeyCode::Down,
            '←' => KeyCode::Left,
            '→' => KeyCode::Right,
            '⏎' => KeyCode::Enter,
            '⇥' => KeyCode::Tab,
            '⎋' => KeyCode::Esc,
            '⌫' => KeyCode::Backspace,
            '⇟' => KeyCode::PageDown,
            '⇞' => KeyCode::PageUp,
            other => KeyCode::Char(other),
        };
        if let Some(action) = keys::action(KeyEvent::new(code, KeyModifiers::NONE), state.place()) {
            state.act(action);
        }
    }
}

fn picture(state: &State<'_>) -> Buffer {
    let (width, height) = state.size();
    let mut buffer = Buffer::empty(Rect::new(0, 0, width, height));
    draw::draw(state, &mut buffer);
    buffer
}

/// What stands on the screen, without blanks at the end of lines.
fn text(state: &State<'_>) -> String {
    let buffer = picture(state);
    let (width, _) = state.size();
    let mut text = String::new();
    for row in buffer.content().chunks(width.into()) {
        let mut line = String::new();
        let mut covered = 0;
        for cell in row {
            // A wide character covers the cell behind it.
            match covered {
                0 => {
                    line.push_str(cell.symbol());
                    covered = ratatui::text::Span::raw(cell.symbol()).width().saturating_sub(1);
                }
                _ => covered -= 1,
            }
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

#[track_caller]
fn expect(state: &State<'_>, name: &str, expected: &str) {
    let found = text(state);
    if std::env::var_os("OPTFS_DRAW_SCREENS").is_some() {
        let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/cli/explore/screens");
        std::fs::write(directory.join(name), found).expect("our own directory");
        return;
    }
    assert!(found == expected, "{name} is\n{expected}\nfound\n{found}");
}

macro_rules! expect {
    ($state:expr, $name:literal) => {
        expect($state, $name, include_str!(concat!("screens/", $name)))
    };
}

fn selected(state: &State<'_>) -> Vec<u8> {
    state.selected_path().expect("something is selected")
}

#[test]
fn the_first_screen_shows_layers_and_tree() {
    let scene = Scene::new();
    expect!(&scene.state(), "first.txt");
}

#[test]
fn a_conflict_is_found_and_explained() {
    let scene = Scene::new();
    let mut state = scene.state();
    press(&mut state, "c");
    assert_eq!(selected(&state), b"bin/tool");
    press(&mut state, "c");
    assert_eq!(selected(&state), b"etc/app");
    press(&mut state, "c");
    expect!(&state, "conflict.txt");
    // Round the end, and back.
    press(&mut state, "cC");
    assert_eq!(selected(&state), b"python/app/main.py");
    press(&mut state, "xxxx");
    assert_eq!(selected(&state), b"python/app/main.py");
    press(&mut state, "X");
    assert_eq!(selected(&state), b"lib/same.txt");
}

#[test]
fn a_filter_opens_the_way_to_what_it_finds_and_leaves_no_trace() {
    let scene = Scene::new();
    let mut state = scene.state();
    let rows = |state: &State<'_>| state.tree().rows().len();
    let before = rows(&state);
    press(&mut state, "f.txt");
    expect!(&state, "filter.txt");
    press(&mut state, "⏎");
    assert!(text(&state).contains("\".txt\" · 5 paths"), "{}", text(&state));
    press(&mut state, "⎋");
    // But for the way to the cursor: the two files of lib/.
    assert_eq!(selected(&state), b"lib/same.txt");
    assert_eq!(rows(&state), before + 2);
    press(&mut state, "f/opt/lib/*⏎");
    assert!(text(&state).contains("3 paths"), "{}", text(&state));
    press(&mut state, "fq⎋");
    assert_eq!(state.filter, "/opt/lib/*");
    press(&mut state, "fx⌫⌫⎋");
    assert!(state.prompt.is_none() && state.over.is_none());
}

#[test]
fn only_what_is_hidden_can_be_shown() {
    let scene = Scene::new();
    let mut state = scene.state();
    press(&mut state, "o");
    expect!(&state, "only_hidden.txt");
    press(&mut state, "o");
    assert!(!text(&state).contains("same.txt"), "{}", text(&state));
    press(&mut state, "o");
    assert_eq!(state.shape(), &tree::Shape::default());
}

#[test]
fn a_layer_by_itself_says_who_is_seen_instead() {
    let scene = Scene::new();
    let mut state = scene.state();
    press(&mut state, "1*");
    expect!(&state, "base_alone.txt");
    press(&mut state, "0");
    assert!(text(&state).contains(" merged "), "{}", text(&state));
    press(&mut state, "9");
    assert!(text(&state).contains("there is no layer 9"), "{}", text(&state));
    press(&mut state, "⇥↓↓↓");
    assert!(text(&state).contains(" only layer 3 "), "{}", text(&state));
}

#[test]
fn the_cursor_stays_on_its_path_from_tree_to_tree() {
    let scene = Scene::new();
    let mut state = scene.state();
    assert!(state.go_to(b"python/app/main.py"));
    for keys in ["1", "2", "0", "s", "s", "*"] {
        press(&mut state, keys);
        assert_eq!(selected(&state), b"python/app/main.py", "{keys}");
    }
    // The top layer has nothing of it.
    press(&mut state, "3");
    assert_eq!(selected(&state), b"bin");
}

#[test]
fn directories_have_the_size_of_all_below() {
    let scene = Scene::new();
    let mut state = scene.state();
    press(&mut state, "s");
    let first = state.tree().rows()[0].node;
    assert_eq!(state.tree().stack().name(first), b"lib");
    assert_eq!(state.tree().fact(first).bytes, 2048 + 20);
    assert!(text(&state).contains(" by size "), "{}", text(&state));
}

#[test]
fn a_difference_is_unified() {
    let scene = Scene::new();
    let mut state = scene.state();
    state.go_to(b"python/app/main.py");
    press(&mut state, "d");
    expect!(&state, "diff.txt");
    // The next conflict, as a difference, too.
    press(&mut state, "c");
    assert!(text(&state).contains("-one"), "{}", text(&state));
    press(&mut state, "d");
    assert!(!text(&state).contains("-one"), "{}", text(&state));
    press(&mut state, "q");
    assert!(state.over.is_none() && !state.has_ended());
    state.go_to(b"etc/app");
    press(&mut state, "d");
    assert!(text(&state).contains("of another kind"), "{}", text(&state));
    assert!(
        text(&state).contains("! 1 base  2 entries below"),
        "{}",
        text(&state)
    );
    state.go_to(b"lib/data.bin");
    press(&mut state, "d");
    assert!(
        text(&state).contains("no other version is hidden here"),
        "{}",
        text(&state)
    );
}

#[test]
fn bytes_that_are_no_text_are_shown_in_hexadecimal() {
    let scene = Scene::new();
    let mut state = scene.state();
    state.go_to(b"lib/data.bin");
    press(&mut state, "⏎");
    expect!(&state, "hex.txt");
}

#[test]
fn versions_are_turned_over_one_by_one() {
    let scene = Scene::new();
    let mut state = scene.state();
    state.go_to(b"lib/same.txt");
    press(&mut state, "⏎");
    assert!(
        text(&state).contains("3 top · seen · version 1 of 3"),
        "{}",
        text(&state)
    );
    press(&mut state, "v");
    let second = text(&state);
    assert!(
        second.contains("2 middle · hidden, the same content · version 2 of 3"),
        "{second}"
    );
    press(&mut state, "vv⎋i");
    expect!(&state, "details.txt");
}

#[test]
fn help_fits_into_80_columns() {
    let scene = Scene::new();
    let mut state = scene.state();
    press(&mut state, "?");
    expect!(&state, "help.txt");
    press(&mut state, "⇟⇟⇟⇟");
    let last = text(&state);
    assert!(last.contains("efficiency"), "{last}");
    let Some(state::Over::Page(page)) = &state.over else {
        panic!("help is a page")
    };
    for line in &page.lines {
        let columns: usize = line.iter().map(|(_, text)| text.chars().count()).sum();
        assert!(columns <= 78, "{line:?}");
    }
}

#[test]
fn search_goes_on_in_directories_that_are_closed() {
    let scene = Scene::new();
    let mut state = scene.state();
    press(&mut state, "/.txt");
    assert_eq!(selected(&state), b"lib/same.txt");
    press(&mut state, "⏎n");
    assert_eq!(selected(&state), "odd/\x1b[2Jname\n.txt".as_bytes());
    press(&mut state, "NN");
    assert_eq!(selected(&state), "odd/日本語.txt".as_bytes());
    press(&mut state, "/nowhere⏎");
    assert!(
        text(&state).contains("no name fits \"nowhere\""),
        "{}",
        text(&state)
    );
    press(&mut state, "/app⎋");
    assert_eq!(selected(&state), "odd/日本語.txt".as_bytes());
}

#[test]
fn colours_only_repeat_what_is_written() {
    let scene = Scene::new();
    let mut coloured = scene.state();
    let mut plain = State::new(&scene.view, Theme::with_colours(false), (80, 24));
    for keys in ["*", "c", "2", "d", "⎋0⏎"] {
        press(&mut coloured, keys);
        press(&mut plain, keys);
        let has_colour = |buffer: &Buffer| buffer.content().iter().any(|cell| cell.fg != Color::Reset);
        assert!(has_colour(&picture(&coloured)), "{keys}");
        assert!(!has_colour(&picture(&plain)), "{keys}");
        assert_eq!(text(&coloured), text(&plain), "{keys}");
    }
}

#[test]
fn every_screen_is_large_enough_or_says_so() {
    let scene = Scene::new();
    for keys in ["", "*", "⇥", "d", "c⏎", "?", "ffilter", "1*c", "ci"] {
        let mut state = scene.state();
        press(&mut state, keys);
        for width in (1..132).step_by(7) {
            for height in (1..50).step_by(3) {
                state.resize((width, height));
                let text = text(&state);
                let is_small = text.contains("too small") || width < 10;
                assert_eq!(is_small, width < 40 || height < 10, "{width}x{height}: {text}");
            }
        }
    }
}

/// Whatever is typed, at whatever size, nothing panics. The seed is in the message.
#[test]
fn random_keys_do_no_harm() {
    const KEYS: &str = "↑↓←→⏎⇥⎋⌫⇟⇞ kjhlgGbqq*-m0123459[]f/nNcCxXosdvViI?ae.t*?";
    let keys: Vec<char> = KEYS.chars().collect();
    let scenes = [
        Scene::new(),
        Scene::of(&[]),
        Scene::of(&[("empty.zip", &|_: &mut Zip| {})]),
    ];
    for seed in 1..60u64 {
        let mut state = scenes[(seed % 3) as usize].state();
        let mut random = seed;
        let mut typed = String::new();
        for _ in 0..120 {
            random = random
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            let key = keys[(random >> 33) as usize % keys.len()];
            typed.push(key);
            let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
                press(&mut state, &key.to_string());
                state.resize((1 + (random >> 20) as u16 % 130, 1 + (random >> 40) as u16 % 45));
                text(&state)
            }));
            assert!(caught.is_ok(), "seed {seed}: {typed}");
        }
    }
}

#[test]
fn a_layer_that_has_changed_is_not_shown_as_if_it_had_not() {
    let scene = Scene::new();
    let path = scene.view.stack().layers()[0].path().to_owned();
    let mut state = scene.state();
    std::fs::write(&path, b"no zip any more").expect("our own file");
    press(&mut state, "1");
    assert!(state.notice.is_some());
    assert_eq!(state.shown(), 0);
}
