import BlockModel
import PagingFormats
import Primitives

/// Where the memory stands in the orders that Pair gave it.
struct MembershipProgress {
    /// The start-up row is found: the region may be changed, and the devices be read into it.
    var hasBegun = false
    /// Nothing is answered, nothing is started on a device (candidate, and before the first `serve`).
    var isFrozen = true
    /// Answers are held and no device write is started, until the record is changed.
    var isQuiescing = false
    var quiesceReported = false
    /// Everything dirty goes to the devices, for a clean leave.
    var isDraining = false
    var drainReported = false
    /// Start-up: what was found is destaged although nobody is served yet.
    var isSettling = false
    var isCatchingUp = false
    var catchUpReported = false
    /// Copies of older dirty pages for a joiner that have not answered.
    var catchUpCopies = 0
    var isChannelUp = false
    var isWindowOpen = false
    /// Batches so far, and the one in which a header of the partner's was last opened or settled through the window:
    /// only the next one shows whether that was done, or the window was lost.
    var batch: UInt64 = 2
    var lastTouch: UInt64 = 0
    /// Release messages without an answer.
    var releasesPending = 0
    /// What was last reported as the record's dirty flag.
    var reportedDirty = true
    /// The partner, alone so far, fills this memory: it is home of everything, whatever the devices said at the start.
    var isBeingFilled = false
    var agreement = HeaderAgreement()
}

/// Restart of both members: the steps in which they agree on the newest versions (pair-rules 4, row 3). Both list
/// what they hold of their own, each drops what the other holds newer, then each destages the rest; only when
/// both are clean does either go on.
struct HeaderAgreement {
    enum Step: UInt8 {
        case none, listing, waitingForPartnersList, destaging, waitingForPartnersDevice, reading, agreed
    }
    var step = Step.none
    /// Next frame of the partner to be listed.
    var cursor: UInt64 = 0
    /// The partner has processed our list.
    var partnerListed = false
    /// The partner has everything of its own on the devices.
    var partnerClean = false
}
