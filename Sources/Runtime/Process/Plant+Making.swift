import CLinux
import Controller
import Devices
import Glibc
import PagingFormats
import Primitives

extension Plant {
    /// Joins what was opened, and starts the witness's thread.
    package init(
        memory: consuming MemoryFile, devices: consuming DeviceSet, listeners: consuming Listeners,
        partnerMemory: String, witness: WitnessFile, settings: PlantSettings
    ) {
        self.memory = memory
        self.devices = devices
        self.listeners = listeners
        self.settings = settings
        partner = PartnerProcess(path: partnerMemory, pairID: settings.pairID, at: Platform.now)
        let wake = eventfd(0, Int32(EFD_CLOEXEC) | Int32(EFD_NONBLOCK))
        witnessWake = wake
        self.witness = Worker(limit: 4, wake: wake) { WitnessEnd(job: $0, outcome: witness.perform($0)) }
        control = ControlPort()
    }

    /// The port that a listener is bound to; 0 when there is none.
    package static func port(_ listener: Int32) -> UInt16 {
        UInt16(truncatingIfNeeded: Swift.max(0, gemel_local_port(listener)))
    }
}
