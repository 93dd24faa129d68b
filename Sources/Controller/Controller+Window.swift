import Memory
import PagingFormats
import Pair

extension Controller {
    /// The window word that the partner's memory must show for a placement of ours to count now: open, our epoch, and
    /// the incarnation of the partner that opened; `WindowWord.closed` when nothing may be placed. A driver reads it
    /// before and after each batch of placements and compares it with the word in the partner's memory.
    package var expectedWindowWord: UInt64 {
        guard let incarnation = windowIncarnation else { return WindowWord.closed }
        return WindowWord.open(epoch: pair.epoch, incarnation: incarnation)
    }
}
