import BlockModel
import Primitives
import SCSIFormats

// What a unit's state block tells this controller's nexuses: events of the partner, and of commands here.

extension DeviceServer {
    /// Takes over what a state block says, and establishes what this controller's nexuses have not learnt yet.
    mutating func learn(_ unit: Int, _ block: StateBlock) {
        guard block.isValid else { return }
        units[unit].adopt(block)
        learnCounters(block, unit, isFirst: units[unit].seen == nil)
        let number = block.eventNumber
        let seen = units[unit].seen ?? number
        units[unit].seen = number
        if number == seen { return }
        guard number > seen, number - seen <= UInt64(StateBlock.ringCount) else {
            // The ring no longer tells what happened: as after a reset.
            clearTasks(unit, nexus: nil)
            attend(.powerOnResetOrBusDeviceReset, unit: unit)
            return
        }
        for missing in seen + 1...number {
            if let event = block.event(missing) { learn(unit, event) }
        }
    }

    private mutating func learn(_ unit: Int, _ event: StateBlock.Event) {
        let code = AdditionalSenseCode(event.code, event.qualifier)
        let names = event.controller == controller.rawValue
        if event.scope == 2 {
            let nexus = Int(event.nexus)
            guard names, nexus < maxNexuses, nexusTargets[nexus] >= 0 else { return }
            clearTasks(unit, nexus: nexus)
            attentions.establish(code, nexus: nexus, unit: unit)
            return
        }
        if event.scope == 1 { clearTasks(unit, nexus: nil) }
        // TAS is one: each cleared command says so itself, and there is no unit attention for it (SAM-6 §5.14).
        if code == .commandsClearedByAnotherInitiator { return }
        attend(code, unit: unit, except: names ? Int(event.nexus) : -1)
    }

    /// Aborts the commands of a unit, or of one nexus on it, for somebody on the partner.
    private mutating func clearTasks(_ unit: Int, nexus: Int?) {
        for slot in 0..<tasks.capacity where tasks[slot].phase != .free && Int(tasks[slot].unit) == unit {
            if nexus == nil || nexus == Int(tasks[slot].nexus) { abort(slot, .cleared) }
        }
    }
}
