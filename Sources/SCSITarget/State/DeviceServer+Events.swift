import BlockModel
import Primitives
import SCSIFormats

// What a unit's state block tells this controller's nexuses: events of the partner, and of commands here.

extension DeviceServer {
    /// Takes over what a state block says, and establishes what this controller's nexuses have not learnt yet.
    mutating func learn(_ unit: Int, _ block: StateBlock) {
        guard block.isValid else { return }
        units[unit].adopt(block)
        noteThresholds(block, unit)
        learnCounters(block, unit, isFirst: units[unit].seen == nil)
        defer { learnReservation(unit, block) }
        let number = block.eventNumber
        let seen = units[unit].seen ?? number
        units[unit].seen = number
        if number == seen { return }
        guard number > seen, number - seen <= UInt64(StateBlock.ringCount) else {
            // The ring no longer tells what happened: as after a reset.
            clearStarted(unit, nexus: nil, tells: false)
            attend(.powerOnResetOrBusDeviceReset, unit: unit)
            return
        }
        for missing in seen + 1...number {
            if let event = block.event(missing) { learn(unit, event) }
        }
    }

    private mutating func learn(_ unit: Int, _ event: StateBlock.Event) {
        let code = AdditionalSenseCode(event.code, event.qualifier)
        let namesUs = event.controller == controller.rawValue
        if event.scope == 2 {
            let nexus = Int(event.nexus)
            guard namesUs, nexus < maxNexuses, nexusTargets[nexus] >= 0 else { return }
            clearStarted(unit, nexus: nexus, tells: true)
            attentions.establish(code, nexus: nexus, unit: unit)
            return
        }
        if event.scope == 3 || event.scope == 4 {
            if namesUs { learn(unit, event, code) }
            return
        }
        if event.scope == 1 {
            clearStarted(unit, nexus: nil, tells: code == .commandsClearedByAnotherInitiator)
            if code.code == 0x29 { standings.allow(unit: unit) }
        }
        // Where TAS is one, each cleared command says so itself, and there is no unit attention for it; where it is
        // zero, the nexuses that lost a command have it already (SAM-6 §5.14).
        if code == .commandsClearedByAnotherInitiator { return }
        attend(code, unit: unit, except: namesUs ? Int(event.nexus) : -1)
    }

    /// What concerns the nexus of one initiator port.
    private mutating func learn(_ unit: Int, _ event: StateBlock.Event, _ code: AdditionalSenseCode) {
        for nexus in 0..<maxNexuses where nexusTargets[nexus] == Int32(event.target) {
            guard named(nexus).mark == event.mark else { continue }
            if event.scope == 4 { clearStarted(unit, nexus: nexus, tells: true) }
            attentions.establish(code, nexus: nexus, unit: unit)
        }
    }

    /// Aborts the commands of a nexus on a unit, for somebody else.
    mutating func clearTasks(_ unit: Int, nexus: Int, except: Int) {
        for slot in 0..<tasks.capacity
        where tasks[slot].phase != .free && Int(tasks[slot].unit) == unit && slot != except {
            if nexus == Int(tasks[slot].nexus) { clear(slot, tells: true) }
        }
    }

    /// Aborts a command for another nexus: with TASK ABORTED, or where TAS is zero without a word and, if nothing else
    /// `tells` the nexus, with a unit attention (SAM-5 §5.6, SPC-4 §7.5.8).
    mutating func clear(_ slot: Int, tells: Bool) {
        let unit = Int(tasks[slot].unit)
        guard unit != noUnit, units[unit].flags.contains(.abortsSilently) else { return abort(slot, .cleared) }
        if tells, tasks[slot].fate == .none {
            attentions.establish(.commandsClearedByAnotherInitiator, nexus: Int(tasks[slot].nexus), unit: unit)
        }
        abort(slot, .aborted)
    }

    /// The same for somebody on the partner, and `nexus` nil for all of them. What has not started yet has come since
    /// as far as anybody can tell, and meets the unit attention.
    private mutating func clearStarted(_ unit: Int, nexus: Int?, tells: Bool) {
        for slot in 0..<tasks.capacity
        where tasks[slot].phase != .free && Int(tasks[slot].unit) == unit && tasks[slot].started {
            if nexus == nil || nexus == Int(tasks[slot].nexus) { clear(slot, tells: tells) }
        }
    }
}
