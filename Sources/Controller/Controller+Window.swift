import PagingFormats

extension Controller {
    /// The window word that the partner's memory must show for a placement of ours to count now: open, the epoch of
    /// ours, the incarnation that `windowOpened` told; `WindowWord.closed` when nothing may be placed. A driver reads
    /// it before and after each batch of placements and compares it with the word in the partner's memory.
    package var expectedWindowWord: UInt64 { WindowWord.closed }
}
