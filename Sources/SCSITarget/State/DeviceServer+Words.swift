import BlockModel
import Primitives
import SAM
import SCSIFormats

// PREEMPT AND ABORT, CLEAR TASK SET and resets abort commands of the partner too, and are answered when those have ended
// (SPC-5 §5.14.11.5, SAM-5 §7). That nothing of them has an effect later follows from the pointers already: the change was
// made when no command relied on the state block, and none goes on before its controller has learnt of the change. So the
// word is about commands that wait for their host: they are gone before the answer.

extension DeviceServer {
    /// A change aborts commands of the partner: its word is waited for.
    mutating func awaitWord(_ block: StateBlock, _ unit: Int) {
        guard controllers > 1, condition.paired else { return }
        block.awaitedWord &+= 1
        block.set(word: block.awaitedWord, of: controller)
        units[unit].awaitedWord = block.awaitedWord
        units[unit].wordDeadline = now + patience
        if units[unit].wordDeadline < deadline { deadline = units[unit].wordDeadline }
        units[unit].chores.insert(.awaitsWord)
    }

    /// Waits on for the words whose patience is not over; `settle` ends the others.
    mutating func expireWords() {
        for unit in 0..<noUnit where units[unit].chores.contains(.awaitsWord) {
            if units[unit].wordDeadline > now { deadline = min(deadline, units[unit].wordDeadline) }
        }
    }

    /// Takes over what a state block says of words.
    mutating func noteWord(_ block: StateBlock, _ unit: Int) {
        guard controllers > 1 else { return }
        units[unit].word = block.word(of: controller.partner)
        if block.word(of: controller) != block.awaitedWord {
            units[unit].chores.insert(.owesWord)
        } else {
            units[unit].chores.remove(.owesWord)
        }
    }

    /// The partner has given the word that is waited for, or there is none, or no patience is left: a partner that is
    /// there and says nothing is the membership's business.
    func isHeard(_ unit: Int) -> Bool {
        if !units[unit].chores.contains(.awaitsWord) || !condition.paired { return true }
        if now >= units[unit].wordDeadline { return true }
        return Int32(bitPattern: units[unit].word &- units[unit].awaitedWord) >= 0
    }

    /// Gives the word when it is due, and answers who waited for the partner's.
    mutating func seeToWords(_ unit: Int) {
        if units[unit].chores.contains(.owesWord), !units[unit].tellsWord, condition.paired, !hasAborted(unit) {
            units[unit].tellsWord = true
            add(StateChange(kind: .word), to: unit)
        }
        guard units[unit].chores.contains(.awaitsWord), isHeard(unit) else { return }
        units[unit].chores.remove(.awaitsWord)
        for slot in 0..<tasks.capacity where tasks[slot].phase == .awaitingWord && Int(tasks[slot].unit) == unit {
            complete(slot, .good, total: tasks[slot].total)
        }
    }

    /// Whether an aborted command is still there, other than in the hands of the transport: those end when their
    /// connection takes or loses what was sent, and a host that does not read must not keep others from fencing it.
    private func hasAborted(_ unit: Int) -> Bool {
        for slot in 0..<tasks.capacity where Int(tasks[slot].unit) == unit && tasks[slot].fate != .none {
            switch tasks[slot].phase {
            case .free, .sending, .sendingParameters: continue
            default: return true
            }
        }
        return false
    }
}
