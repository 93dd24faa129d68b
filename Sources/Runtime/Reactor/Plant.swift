import Controller
import Devices
import PagingFormats
import Primitives

/// Everything that a reactor drives and that was opened before it began: made by `ControllerProcess`, or by a test.
package struct Plant: ~Copyable {
    package var memory: MemoryFile
    package var devices: DeviceSet
    package var listeners: Listeners
    package var partner: PartnerProcess
    package var witness: Worker<WitnessJob, WitnessEnd>
    /// Eventfd of the witness's worker.
    package var witnessWake: Int32
    package var settings: PlantSettings
    package var control: ControlPort
}

/// The plain values that a reactor needs.
package struct PlantSettings: Sendable {
    package var controller: ControllerID
    package var pairID: UInt64
    package var incarnation: UInt64
    /// Key of the channel's HMAC; empty for an array of one controller.
    package var secret: [UInt8]
    /// Secrets of CHAP.
    package var credentials = Credentials()
    /// Where the partner's channel listener is; nil for an array of one.
    package var partnerChannel: PortalAddress?
    /// The partner's memory, for a takeover at start-up; nil for an array of one or another host.
    package var partnerMemory: MemoryFile.Identity?
    /// Socket of the partner's window server; nil when it is not on this host.
    package var partnerWindow: String?
    package var maximumStreams: Int
    /// What this start found, for the sentence of a refusal.
    package var found = StartFound()
    /// SIGTERM and SIGINT ask for a clean stop; a second one ends the process at once.
    package var handlesSignals: Bool
    package var log: @Sendable (String) -> Void

    package init(
        controller: ControllerID, pairID: UInt64, incarnation: UInt64, secret: [UInt8],
        partnerChannel: PortalAddress?, partnerMemory: MemoryFile.Identity?, options: ProcessOptions
    ) {
        self.controller = controller
        self.pairID = pairID
        self.incarnation = incarnation
        self.secret = secret
        self.partnerChannel = partnerChannel
        self.partnerMemory = partnerMemory
        partnerWindow = partnerMemory.map { options.windowSocket($0.controller.name) }
        maximumStreams = options.maximumStreams
        handlesSignals = options.handlesSignals
        log = options.log
    }
}

/// Listening sockets, bound before anything else happens.
package struct Listeners: ~Copyable {
    package var portals: [Int32]
    /// -1 for an array of one controller.
    package var channel: Int32
    /// -1 when no partner is on this host.
    package var window: Int32
    /// Path of the window's socket, removed at the end.
    package var windowPath: String
}

/// How a controller's life ended.
package enum ProcessOutcome: Equatable, Sendable {
    /// A clean stop; exit code 0.
    case stopped
    /// The process is to be started anew; its memory is to be opened anew.
    case restart(RestartReason)
    /// An operator must act; exit code 78. With the sentence that says what was found where.
    case refused(RefusalReason, String)
    /// Ended at once by `ControlPort.halt` or a second signal.
    case halted

    /// Why the start was refused; nil for every other end.
    package var refusal: RefusalReason? {
        if case .refused(let reason, _) = self { reason } else { nil }
    }

    /// A sentence for people.
    package var sentence: String {
        switch self {
        case .stopped: "stopped cleanly"
        case .restart(let reason): RestartText.sentence(reason)
        case .refused(_, let sentence): sentence
        case .halted: "ended at once, nothing was drained"
        }
    }
}
