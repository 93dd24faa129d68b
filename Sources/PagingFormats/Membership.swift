import BlockModel
import Primitives

/// What Pair orders Memory to do; each is routed by the controller, and answered by the report that its line names.
package enum MembershipOrder {
    /// Start-up: the row of pair-rules 4 is found, and it lets this life use its memory. Until then (or until `void`,
    /// which says the same of a memory that cannot be trusted) nothing in the region is changed. No report.
    case begin
    /// Candidate (pair-rules 2): answer no host, start nothing on a device. No report.
    case freeze
    /// After fencing: adopt the sealed dirty pages of the mirror area, void the partner's locks and pointers.
    /// `epoch` is the record's new one. Report: `mirrorAdopted`.
    case adoptMirror(epoch: UInt32)
    /// Start-up, partner not running (pair-rules 4, adopt): the partner's memory, locked and mapped by our driver.
    /// Take every sealed dirty page of it, own area and mirror area alike; `void` came before. Report:
    /// `foreignAdopted`.
    case adoptForeign(base: UnsafeMutableRawPointer, layout: RegionLayout, epoch: UInt32)
    /// Restart of both members: agree on the newest sealed version of each page and hold it on both sides.
    /// Report: `headersAgreed`.
    case agreeHeaders(epoch: UInt32)
    /// Nobody served since an earlier life of both controllers: a power cycle (pair-rules 8), which state blocks are
    /// told of before anybody reads them. Comes before the first `serve`. No report.
    case cyclePower
    /// From now on this holds. Comes at each change and at each renewal of the lease. No report.
    case serve(ServiceCondition)
    /// Solo: a joiner is there with a void memory: mirror new writes to it, and bring it everything that must be on
    /// both. Report: `caughtUp`.
    case catchUp
    /// The joiner is gone before the record was changed. No report.
    case abandonCatchUp
    /// Hold all answers, wait for device writes in flight. Report: `quiesced`. Ended by `serve` or `freeze`.
    case quiesce
    /// Clean leave or stop: destage and flush everything dirty. Report: `drained`.
    case drain
    /// This memory is void: forget and format everything (a joiner; a memory that the record does not name).
    case void
    /// A channel connection is up (its number grows); unanswered messages of ours are sent again. No report.
    case channelUp(connection: UInt32, window: Bool)
    /// The channel is down; messages stay unanswered until it is up again or membership changes. No report.
    case channelDown
    /// The window on the partner's memory opened (true) or closed. No report.
    case window(open: Bool)
}

/// What Memory reports to Pair.
package enum MembershipReport: Sendable {
    case mirrorAdopted(pages: UInt32)
    case foreignAdopted(pages: UInt32)
    case headersAgreed
    case caughtUp
    case quiesced
    case drained
    /// Solo or joining: whether anything acknowledged is not yet on a device (the record's `dirty`).
    case dirty(Bool)
}

/// One page to be placed in the partner's mirror area through the window: copy the frame's bytes, then its header with
/// the seal last. An effect that the driver performs in order; answered by `placed(token, ok)`.
package struct WindowPlacement: Sendable {
    /// Given back with the result.
    package var token: UInt32
    /// Source frame; its header is the record to copy.
    package var frame: FrameIndex
    /// Frame index in the partner's memory, inside its mirror area.
    package var slot: UInt32
    package init(token: UInt32, frame: FrameIndex, slot: UInt32) {
        self.token = token
        self.frame = frame
        self.slot = slot
    }
}
