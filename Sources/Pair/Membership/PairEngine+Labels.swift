import PagingFormats
import Primitives

/// The labels of the devices, as far as this controller knows them.
struct LabelProgress {
    /// What was found on the devices when they were looked at last.
    var devices: [DeviceFacts]
    /// Every device's label carries at least this epoch; nil while one has no label.
    var carried: UInt32?
    var isWriting = false
    var retryAt: Instant = .zero
    /// The devices are to be looked at again before the start goes on; the look is under way; it was taken.
    var lookWanted = false
    var isLooking = false
    var hasLooked = false

    init(_ devices: [DeviceFacts]) {
        self.devices = devices
        carried = Self.carried(devices)
    }

    /// The lowest epoch of the labels, nil while a device has none; `max` without devices.
    static func carried(_ devices: [DeviceFacts]) -> UInt32? {
        let labels = devices.compactMap(\.finding.label)
        return labels.count == devices.count ? labels.map(\.epoch).min() ?? .max : nil
    }
}

// Labels: written before the first record, and again whenever the record's epoch moved, by one of those who serve.
extension PairEngine {
    /// Why the record or a device forbids the start. The devices were read before the record: one without a label may
    /// have got it since, by a partner that made the first record, so that they are looked at once more.
    mutating func startRefusal(_ record: WitnessRecord?) -> RefusalReason? {
        if let reason = StartRow.refusal(record, configuration) { return reason }
        let reason = LabelRule.refusal(record, labels.devices, configuration)
        guard reason == .deviceReplaced else { return reason }
        // Labelled by ourselves in this life.
        if labels.carried != nil { return nil }
        if labels.hasLooked { return reason }
        labels.lookWanted = true
        return nil
    }

    /// Whether the start may go on: not before the devices were looked at again, where that is wanted.
    mutating func areDevicesKnown(at now: Instant) -> Bool {
        guard labels.lookWanted else { return true }
        if !labels.isLooking, due(labels.retryAt, now) {
            labels.isLooking = true
            effects.append(.readLabels)
        }
        return false
    }

    /// The second look, in the order of the configuration; nil: a device failed, and is tried again.
    mutating func labelsRead(_ findings: [DeviceFinding]?, at now: Instant) {
        labels.isLooking = false
        guard let findings else {
            labels.retryAt = now + PairTimes.labelRetry
            return
        }
        guard labels.lookWanted else { return }
        labels.lookWanted = false
        labels.hasLooked = true
        labels.devices = zip(labels.devices, findings).map { DeviceFacts(name: $0.name, finding: $1) }
        labels.carried = LabelProgress.carried(labels.devices)
        if state == .starting, let reason = startRefusal(record) { finish(.refuse(reason)) }
    }

    /// Whether every device has a label; if not, it is written. A first record comes after them, with epoch 0 in them:
    /// a label of a later epoch without a record means that the record was lost.
    mutating func hasLabels(at now: Instant) -> Bool {
        if labels.carried != nil { return true }
        writeLabels(epoch: 0, lineage: 0, at: now)
        return false
    }

    /// The labels follow the record's epoch; who looks after them is alone, or the preferred one of a pair.
    mutating func keepLabels(at now: Instant) {
        guard state == .solo || (state == .paired && own == .a), let record else { return }
        if labels.carried.map({ $0 < record.epoch }) ?? true {
            writeLabels(epoch: record.epoch, lineage: record.lineage, at: now)
        }
    }

    private mutating func writeLabels(epoch: UInt32, lineage: UInt64, at now: Instant) {
        guard !labels.isWriting, due(labels.retryAt, now) else { return }
        labels.isWriting = true
        effects.append(.writeLabels(epoch: epoch, lineage: lineage))
    }

    /// The labels carry `epoch` now and are flushed; nil: a device failed.
    mutating func labelled(_ epoch: UInt32?, at now: Instant) {
        labels.isWriting = false
        if let epoch { labels.carried = max(labels.carried ?? 0, epoch) } else {
            labels.retryAt = now + PairTimes.labelRetry
        }
    }
}
