/// Operation codes (SPC-4 annex E) of the commands that the device server knows: for initiators and tests that build
/// CDBs. What the device server does with them is the command table's matter.
package enum OperationCode: UInt8, Sendable, CaseIterable {
    case testUnitReady = 0x00
    case requestSense = 0x03
    case read6 = 0x08
    case write6 = 0x0A
    case inquiry = 0x12
    case modeSelect6 = 0x15
    case modeSense6 = 0x1A
    case startStopUnit = 0x1B
    case readCapacity10 = 0x25
    case read10 = 0x28
    case write10 = 0x2A
    case writeAndVerify10 = 0x2E
    case verify10 = 0x2F
    case preFetch10 = 0x34
    case synchronizeCache10 = 0x35
    case writeSame10 = 0x41
    case unmap = 0x42
    case modeSelect10 = 0x55
    case modeSense10 = 0x5A
    case read16 = 0x88
    case compareAndWrite = 0x89
    case write16 = 0x8A
    case orWrite16 = 0x8B
    case writeAndVerify16 = 0x8E
    case verify16 = 0x8F
    case preFetch16 = 0x90
    case synchronizeCache16 = 0x91
    case writeSame16 = 0x93
    case writeAtomic16 = 0x9C
    case serviceActionIn16 = 0x9E
    case reportLUNs = 0xA0
    case maintenanceIn = 0xA3
    case read12 = 0xA8
    case write12 = 0xAA
    case writeAndVerify12 = 0xAE
    case verify12 = 0xAF
}
