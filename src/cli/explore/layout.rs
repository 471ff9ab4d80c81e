//! Where the panes lie on a screen of some size.

use ratatui::layout::Rect;

/// Below this there is no room for anything that helps.
pub(super) const LEAST: (u16, u16) = (40, 10);
/// With fewer columns there is one pane at a time.
const TWO_PANES_COLUMNS: u16 = 64;
/// Lines of the details' pane with its frame, at least.
const DETAILS_LINES: u16 = 8;
/// With fewer lines than this there are no details beside the tree.
const DETAILS_FROM_LINES: u16 = 16;

/// The panes; those that have no room are empty.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Panes {
    pub(super) title: Rect,
    pub(super) layers: Rect,
    /// Whether a layer has two lines, and not one.
    pub(super) is_roomy: bool,
    pub(super) details: Rect,
    pub(super) tree: Rect,
    /// Everything between title and footer, for a page.
    pub(super) body: Rect,
    pub(super) footer: Rect,
}

/// Lays out a screen for so many layers; none where it is too small.
pub(super) fn panes((width, height): (u16, u16), layers: usize, layers_have_keys: bool) -> Option<Panes> {
    if width < LEAST.0 || height < LEAST.1 {
        return None;
    }
    let body = Rect::new(0, 1, width, height - 2);
    let mut panes = Panes {
        title: Rect::new(0, 0, width, 1),
        footer: Rect::new(0, height - 1, width, 1),
        body,
        ..Panes::default()
    };
    if width < TWO_PANES_COLUMNS {
        match layers_have_keys {
            true => panes.layers = body,
            false => panes.tree = body,
        }
        panes.is_roomy = true;
        return Some(panes);
    }
    let left = (width * 3 / 8).clamp(28, 50);
    panes.tree = Rect {
        x: left,
        width: width - left,
        ..body
    };
    let rows = |each: usize| u16::try_from((layers + 1) * each + 2).unwrap_or(u16::MAX);
    if height < DETAILS_FROM_LINES {
        panes.layers = Rect { width: left, ..body };
        panes.is_roomy = rows(2) <= body.height;
        return Some(panes);
    }
    let most = body.height - DETAILS_LINES;
    panes.is_roomy = rows(2) <= most;
    let layers_height = rows(if panes.is_roomy { 2 } else { 1 }).min(most);
    panes.layers = Rect {
        width: left,
        height: layers_height,
        ..body
    };
    panes.details = Rect {
        y: body.y + layers_height,
        width: left,
        height: body.height - layers_height,
        ..body
    };
    Some(panes)
}

/// Within the frame of a pane.
pub(super) fn inside(pane: Rect) -> Rect {
    Rect {
        x: pane.x + 1,
        y: pane.y + 1,
        width: pane.width.saturating_sub(2),
        height: pane.height.saturating_sub(2),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn panes_fill_every_screen_without_lying_over_each_other() {
        for width in 1..150 {
            for height in 1..60 {
                for layers in [0, 1, 2, 5, 40, 70_000] {
                    let Some(panes) = panes((width, height), layers, false) else {
                        assert!(width < LEAST.0 || height < LEAST.1);
                        continue;
                    };
                    let all = [panes.title, panes.layers, panes.details, panes.tree, panes.footer];
                    let cells: u32 = all.iter().map(|pane| pane.area()).sum();
                    assert_eq!(cells, u32::from(width) * u32::from(height), "{width}x{height}");
                }
            }
        }
    }
}
