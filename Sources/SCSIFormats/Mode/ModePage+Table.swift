extension ModePage {
    /// Every page, ascending by page and subpage code, the order in which MODE SENSE returns them. Pages with the same
    /// codes are for different units.
    ///
    /// Where a parameter is zero and cannot be changed, that is what the unit does: no error recovery by
    /// reassignment, no limits of the interconnect, no power conditions.
    package static let all: [ModePage] = [
        ModePage(0x01, 0, "Read-Write Error Recovery", "SBC-3 6.5.8", length: 12, excludes: .thin),
        ModePage(0x01, 0, "Read-Write Error Recovery", "SBC-2 6.3.4", length: 12, needs: [.thin, .legacy]),
        // LBPERE: thresholds of provisioning are reported.
        ModePage(
            0x01, 0, "Read-Write Error Recovery", "SBC-3 6.5.8", length: 12, fields: [ModeField(7, 0x80, at: 10)],
            needs: .thin, excludes: .legacy),
        ModePage(0x02, 0, "Disconnect-Reconnect", "SPC-4 7.5.10", length: 16),
        ModePage(0x07, 0, "Verify Error Recovery", "SBC-3 6.5.9", length: 12),
        // WCE; DRA.
        ModePage(
            0x08, 0, "Caching", "SBC-3 6.5.5", length: 20, [0x04],
            fields: [ModeField(2, 0x04, at: 1), ModeField(12, 0x20, at: 2)]),
        // GLTSD one: no log parameter is saved by itself; D_SENSE. QUEUE ALGORITHM MODIFIER 1h: unrestricted
        // reordering; QERR. UA_INTLCK_CTRL and SWP. TAS, which is one.
        ModePage(
            0x0A, 0, "Control", "SPC-4 7.5.8", length: 12, [0x02, 0x10, 0x00, 0x40],
            fields: [
                ModeField(2, 0x04, at: 3), ModeField(3, 0x06, at: 4, allowed: [0x00, 0x02, 0x06]),
                ModeField(4, 0x30, at: 5, allowed: [0x00, 0x20, 0x30]), ModeField(4, 0x08, at: 5),
                ModeField(5, 0x40, at: 6),
            ], excludes: .protected),
        // The same, with DPICZ and ATO.
        ModePage(
            0x0A, 0, "Control", "SPC-4 7.5.8", length: 12, [0x02, 0x10, 0x00, 0x40],
            fields: [
                ModeField(2, 0x0C, at: 3), ModeField(3, 0x06, at: 4, allowed: [0x00, 0x02, 0x06]),
                ModeField(4, 0x30, at: 5, allowed: [0x00, 0x20, 0x30]), ModeField(4, 0x08, at: 5),
                ModeField(5, 0xC0, at: 6),
            ], needs: .protected),
        ModePage(0x0A, 0x01, "Control Extension", "SPC-4 7.5.9", length: 32, [0x06], excludes: .pair),
        // TCMOS, SCSIP: the clock is this machine's until SET TIMESTAMP. IALUAE.
        ModePage(0x0A, 0x01, "Control Extension", "SPC-4 7.5.9", length: 32, [0x07], needs: .pair),
        // PROTOCOL IDENTIFIER 5h: iSCSI, which defines no parameters.
        ModePage(0x18, 0, "Protocol-Specific Logical Unit", "SPC-4 7.5.15", length: 8, [0x05]),
        ModePage(0x19, 0, "Protocol-Specific Port", "SPC-4 7.5.16", length: 8, [0x05]),
        ModePage(0x1A, 0, "Power Condition", "SPC-3 7.4.12", length: 12, needs: .legacy),
        ModePage(0x1A, 0, "Power Condition", "SPC-4 7.5.13", length: 40, excludes: .legacy),
        // DEXCPT and TEST; MRIE: not at all, as a unit attention, or on request. REPORT COUNT 1.
        ModePage(
            0x1C, 0, "Informational Exceptions Control", "SBC-3 6.5.6", length: 12, [0, 0x06, 0, 0, 0, 0, 0, 0, 0, 1],
            fields: [ModeField(2, 0x0C, at: 7), ModeField(3, 0x0F, at: 8, allowed: [0x00, 0x02, 0x06])],
            exclusive: (2, 0x0C)),
        // SITUA; two thresholds of the available LBA mapping resources, armed decreasing, and two of the used ones,
        // armed increasing: ENABLED and THRESHOLD COUNT.
        ModePage(
            0x1C, 0x02, "Logical Block Provisioning", "SBC-3 6.5.7", length: 48,
            [UInt8](repeating: 0, count: 12) + ProvisioningThresholds.heads,
            fields: [ModeField(4, 0x01, at: ProvisioningThresholds.situaPlace)] + ProvisioningThresholds.fields,
            needs: .thin, excludes: .legacy),
    ]

    /// The page of a unit by its codes.
    package static func find(_ code: UInt8, _ subpage: UInt8, _ traits: UnitTraits) -> ModePage? {
        all.first { $0.code == code && $0.subpage == subpage && $0.applies(traits) }
    }
}
