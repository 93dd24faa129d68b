/// A snapshot of a controller for `gemel status`, the HTTP API and metrics: plain values, encoded as JSON.
package struct ControllerStatus: Codable, Sendable {
    /// `a` or `b`.
    package var controller = ""
    /// `starting`, `paired`, `candidate`, `taking over`, `solo`, `joining`, `stopping`, `stopped`.
    package var state = "starting"
    package var epoch: UInt32 = 0
    /// Hosts are being answered.
    package var serving = false
    /// Logins are sent to the partner while it serves.
    package var maintenance = false
    /// Both memories hold every acknowledged write.
    package var redundant = false
    package var incarnation: UInt64 = 0
    /// Milliseconds of lease left; nil when none is needed.
    package var leaseMilliseconds: UInt64?
    package var channelConnected = false
    package var windowOpen = false
    package var witnessReachable = true
    package var units: [UnitStatus] = []
    package var sessions: [SessionStatus] = []
    package var memory = MemoryStatus()
    /// By message name.
    package var messagesSent: [String: UInt64] = [:]
    package var messagesReceived: [String: UInt64] = [:]
    /// By copy method: pages and bytes that were copied to the partner.
    package var copiedBytes: [String: UInt64] = [:]
    /// By LUN and group number (`0/3`): commands that READ and WRITE commands with it were, and logical blocks.
    package var groupCommands: [String: UInt64] = [:]
    package var groupBlocks: [String: UInt64] = [:]

    package init() {}

    package struct UnitStatus: Codable, Sendable {
        package var lun: UInt16 = 0
        /// The controller that is home of the unit.
        package var home = ""
        /// Number of the last event (unit attention) in the state block; nil where it names the other home.
        package var stateEvents: UInt64?
        /// ALUA state of this controller's port group: `active/optimized` and so on.
        package var accessState = ""
        package var bytes: UInt64 = 0
        package init() {}
    }

    package struct SessionStatus: Codable, Sendable {
        package var initiator = ""
        package var target = ""
        package var connections = 0
        package var commands: UInt64 = 0
        package init() {}
    }

    package struct MemoryStatus: Codable, Sendable {
        package var frames = 0
        package var freeFrames = 0
        package var dirtyPages = 0
        package var mirroredPages = 0
        package var blocks = 0
        /// Blocks of the partner, allocated here by its messages.
        package var partnerBlocks = 0
        package var readHits: UInt64 = 0
        package var readMisses: UInt64 = 0
        package var stagedBytes: UInt64 = 0
        package var destagedBytes: UInt64 = 0
        package var tornFrames: UInt64 = 0
        package init() {}
    }
}
