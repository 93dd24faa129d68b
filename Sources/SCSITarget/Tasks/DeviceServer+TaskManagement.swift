import BlockModel
import Primitives
import SAM
import SCSIFormats

// The task manager (SAM-6 §7). Commands of this controller are aborted at once; what reaches the partner's commands
// and nexuses too goes through the state block. The answer comes when both are done.

extension DeviceServer {
    /// Task Management Request Received.
    mutating func manage(_ request: TaskManagementRequest) {
        counters.taskManagement &+= 1
        sequence += 1
        let unit = route(request.lun, nexus: request.nexus.raw)
        if let response = immediateResponse(request, unit) {
            answer(request.request, response)
            return
        }
        guard let place = management.take() else {
            answer(request.request, .functionRejected)
            return
        }
        var task = TaskManagement()
        task.active = true
        task.request = request.request
        task.nexus = request.nexus.raw
        task.function = request.function
        task.unit = UInt16(unit)
        task.referenced = request.referenced
        task.sequence = sequence
        management[place] = task
        abortTasks(of: place)
        switch request.function {
        case .clearTaskSet, .logicalUnitReset: if unit != noUnit { addEvent(place, unit) }
        case .targetWarmReset, .targetColdReset:
            // What an initiator cannot see, it cannot reset.
            for each in 0..<noUnit where reaches(place, unit: each) { addEvent(place, each) }
        case .iTNexusReset:
            for each in 0..<noUnit {
                attentions.establish(.iTNexusLossOccurred, nexus: Int(request.nexus.raw), unit: each)
            }
            forgetReservations(Int(request.nexus.raw))
        case .abortTask, .abortTaskSet, .clearACA, .queryTask, .queryTaskSet, .queryAsynchronousEvent: break
        }
        settleAll()
    }

    private mutating func addEvent(_ place: Int, _ unit: Int) {
        management[place].commits += 1
        add(StateChange(kind: .taskManagement, subject: UInt16(place)), to: unit)
    }

    private mutating func answer(_ request: UInt16, _ response: ServiceResponse) {
        transport.append(.taskManagementFunctionExecuted(request: request, response))
    }

    /// The answer of a request that changes nothing, or names nothing; nil for the others.
    private func immediateResponse(_ request: TaskManagementRequest, _ unit: Int) -> ServiceResponse? {
        let nexus = Int(request.nexus.raw)
        guard nexus < maxNexuses else { return .functionRejected }
        let isKnown = unit != noUnit || LogicalUnitAddress(field: request.lun) == .reportLUNs
        switch request.function {
        case .clearACA: return .functionRejected
        case .iTNexusReset, .targetWarmReset, .targetColdReset: return nil
        case .abortTask, .abortTaskSet, .clearTaskSet, .logicalUnitReset: return isKnown ? nil : .incorrectLogicalUnit
        case .queryTask:
            guard isKnown else { return .incorrectLogicalUnit }
            guard let slot = request.referenced.flatMap({ current($0) }) else { return .functionComplete }
            return tasks[slot].nexus == request.nexus.raw ? .functionSucceeded : .functionComplete
        case .queryTaskSet:
            guard isKnown else { return .incorrectLogicalUnit }
            for slot in 0..<tasks.capacity
            where tasks[slot].phase != .free && Int(tasks[slot].unit) == unit && Int(tasks[slot].nexus) == nexus {
                return .functionSucceeded
            }
            return .functionComplete
        case .queryAsynchronousEvent:
            guard isKnown else { return .incorrectLogicalUnit }
            return unit != noUnit && attentions.isPending(nexus, unit) ? .functionSucceeded : .functionComplete
        }
    }

    /// Aborts what a request names: silently for its own nexus, as TAS says for others (SPC-4 §7.5.8). A reset has a
    /// unit attention of its own.
    private mutating func abortTasks(of place: Int) {
        let tells = management[place].function == .clearTaskSet
        for slot in 0..<tasks.capacity where affects(place, slot) {
            if tasks[slot].nexus == management[place].nexus {
                abort(slot, .aborted)
            } else {
                clear(slot, tells: tells)
            }
        }
    }

    /// Answers every request whose commands have ended and whose commits have come.
    mutating func answerManagement() {
        for place in 0..<management.capacity where management[place].active && management[place].commits == 0 {
            if hasAffectedTask(place) { continue }
            management[place].active = false
            answer(management[place].request, management[place].failed ? .functionRejected : .functionComplete)
            management.giveBack(place)
        }
    }

    private func hasAffectedTask(_ place: Int) -> Bool {
        for slot in 0..<tasks.capacity where affects(place, slot) { return true }
        return false
    }

    private func affects(_ place: Int, _ slot: Int) -> Bool {
        management[place].affects(tasks[slot])
            && (tasks[slot].nexus == management[place].nexus || reaches(place, unit: Int(tasks[slot].unit)))
    }

    /// Whether the nexus of a request sees a unit.
    private func reaches(_ place: Int, unit: Int) -> Bool {
        views.sees(nexusViews[Int(management[place].nexus)], unit: unit)
    }
}
