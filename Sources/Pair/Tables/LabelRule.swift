import PagingFormats

/// A device as the configuration names it, and what was found where its label belongs.
package struct DeviceFacts: Equatable, Sendable {
    package var name: String
    package var finding: DeviceFinding
    package init(name: String, finding: DeviceFinding) {
        self.name = name
        self.finding = finding
    }
}

/// What the devices' labels say to a start (pair-rules 4: "labels" in the first two rows).
package enum LabelRule {
    /// Why a device forbids the start; nil when none does.
    package static func refusal(
        _ record: WitnessRecord?, _ devices: [DeviceFacts], _ configuration: PairConfiguration
    ) -> RefusalReason? {
        for device in devices {
            switch device.finding {
            case .other: return .deviceOccupied
            case .label(let label):
                if let reason = refusal(label, device.name, record, configuration) { return reason }
            case .blank, .blankVolatile: break
            }
        }
        return record != nil && isOneMissing(devices) ? .deviceReplaced : nil
    }

    private static func refusal(
        _ label: DeviceLabel, _ name: String, _ record: WitnessRecord?, _ configuration: PairConfiguration
    ) -> RefusalReason? {
        if label.pairID != configuration.pairID { return .foreignDevice }
        if label.name != DeviceLabel.cut(name) { return .otherDevice }
        if label.featureLevel > configuration.featureLevel { return .featureLevelUnknown }
        // Epoch 0: a first start that was cut short before it had a record; nobody was answered under it.
        guard let record else { return label.epoch > 0 ? .witnessDamaged : nil }
        if label.epoch > record.epoch { return .epochWentBack }
        return label.lineage != 0 && label.lineage != record.lineage ? .lineageUnknown : nil
    }

    /// A device without a label is new to the array when all that the labels know of are there; else it took the place
    /// of one that held data.
    private static func isOneMissing(_ devices: [DeviceFacts]) -> Bool {
        guard devices.contains(where: { $0.finding == .blank }) else { return false }
        let labels = devices.compactMap(\.finding.label)
        guard let known = labels.map(\.devices).max() else { return true }
        return labels.count + devices.count { $0.finding == .blankVolatile } < Int(known)
    }
}
