import BlockModel
import Primitives
import SAM
import SCSIFormats

// MODE SENSE and MODE SELECT (SPC-4 §6.11 to §6.14). Present and saved values are in the state block, so that both
// controllers and all nexuses see the same.

extension DeviceServer {
    /// What the pages of a unit depend on.
    static func traits(_ profile: UnitProfile, controllers: Int, managed: Bool) -> UnitTraits {
        var traits: UnitTraits = managed ? [.managed] : []
        if controllers > 1 { traits.insert(.pair) }
        if profile.thin { traits.insert(.thin) }
        if profile.protectionType != 0 { traits.insert(.protected) }
        if profile.version == 0x05 { traits.insert(.legacy) }
        return traits
    }

    /// MODE SENSE: one page, a page with its subpages (FFh), every page (3Fh), or every page and subpage (both).
    func modeSense(_ slot: Int, _ writer: inout ParameterWriter) -> SenseData? {
        let unit = Int(tasks[slot].unit)
        let cdb = tasks[slot].cdb
        let (code, subpage) = (cdb[2] & 0x3F, cdb[3])
        guard let control = ModePageControl(rawValue: cdb[2] >> 6) else { return .invalidField(inCDB: 2, bit: 7) }
        let traits = units[unit].traits
        // Page 00h stands for no page: header and block descriptor alone.
        if code == 0, subpage == 0, control == .current {
            writeModeData(slot, [], control, to: &writer)
            return nil
        }
        let coded = ModePage.all.filter { $0.applies(traits) && (code == 0x3F || $0.code == code) }
        guard !coded.isEmpty else { return .invalidField(inCDB: 2, bit: 5) }
        let pages = coded.filter { subpage == 0xFF || $0.subpage == subpage }
        guard !pages.isEmpty, code != 0x3F || subpage == 0 || subpage == 0xFF else { return .invalidField(inCDB: 3) }
        writeModeData(slot, pages, control, to: &writer)
        return nil
    }

    private func writeModeData(
        _ slot: Int, _ pages: [ModePage], _ control: ModePageControl, to writer: inout ParameterWriter
    ) {
        let unit = Int(tasks[slot].unit)
        let flags = tasks[slot].cdb[1]
        let long = commands[Int(tasks[slot].row)].length == 10
        ModeParameterData(
            long: long, longDescriptor: long && flags & 0x10 != 0, withoutDescriptor: flags & 0x08 != 0,
            blocks: units[unit].blocks, blockLength: units[unit].blockBytes,
            writeProtected: writeProtection(slot) != nil, control: control, current: units[unit].mode,
            saved: units[unit].savedMode
        ).write(pages, to: &writer)
    }

    /// PF zero would make the list vendor specific.
    func checkModeSelect(_ slot: Int) -> SenseData? {
        tasks[slot].cdb[1] & 0x10 != 0 ? nil : .invalidField(inCDB: 1, bit: 4)
    }

    /// What the list in the parameter page makes of `image`.
    private func modeList(
        _ slot: Int, _ unit: Int, _ image: ModeImage
    ) throws(ModeParameterList.Refusal) -> ModeImage {
        try ModeParameterList(
            UnsafeRawPointer(frames.pointer(Frames.parameter(slot))), count: Int(tasks[slot].limit),
            long: commands[Int(tasks[slot].row)].length == 10,
            present: ModeParameterList.Present(
                blocks: units[unit].blocks, blockLength: units[unit].blockBytes, traits: units[unit].traits,
                image: image)
        ).image
    }

    /// SP: all pages are saved as they are now, those of the list and the others.
    private func savesPages(_ slot: Int) -> Bool { tasks[slot].cdb[1] & 0x01 != 0 }

    /// The list is here, and so is the state pointer: a list that changes nothing needs no other.
    mutating func modeListReceived(_ slot: Int) {
        let unit = Int(tasks[slot].unit)
        do throws(ModeParameterList.Refusal) {
            let image = try modeList(slot, unit, units[unit].mode)
            if image == units[unit].mode, !savesPages(slot) || image == units[unit].savedMode {
                complete(slot, .good, total: tasks[slot].total)
            } else {
                changeState(slot)
            }
        } catch {
            fail(slot, error.sense, total: tasks[slot].limit)
        }
    }

    /// SP with an empty list: what is current is saved.
    mutating func saveModePages(_ slot: Int) {
        let unit = Int(tasks[slot].unit)
        if savesPages(slot), units[unit].mode != units[unit].savedMode {
            changeState(slot)
        } else {
            complete(slot, .good, total: 0)
        }
    }

    /// The change that a list makes, on what is there when its turn comes.
    mutating func applyModeSelect(_ slot: Int, _ block: StateBlock, _ unit: Int) -> ChangeVerdict {
        do throws(ModeParameterList.Refusal) {
            let before = block.currentMode
            block.currentMode = try modeList(slot, unit, before)
            if savesPages(slot) { block.savedMode = block.currentMode }
            if block.currentMode == before { return .done }
            armThresholds(block, before: before, unit, nexus: Int(tasks[slot].nexus))
            announce(.modeParametersChanged, scope: 0, block, unit, except: Int(tasks[slot].nexus))
            reportTest(before: ExceptionControl(before), ExceptionControl(block.currentMode), block, unit)
            return .done
        } catch {
            return .failed(error.sense)
        }
    }

    /// TEST was set, and MRIE wants a unit attention: every nexus gets it, once.
    private mutating func reportTest(
        before: ExceptionControl, _ now: ExceptionControl, _ block: StateBlock, _ unit: Int
    ) {
        guard now.test, now.method == .unitAttention, before != now else { return }
        announce(.failurePredictionThresholdExceededFalse, scope: 0, block, unit)
    }
}
