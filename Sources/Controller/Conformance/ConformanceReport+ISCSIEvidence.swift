// Which test shows what of the iSCSI target.
extension ConformanceReport {
    static let textKeyTests: [(test: String, codes: String)] = [
        ("whoMustProveItselfCannotGoAround", "AuthMethod"),
        ("bothSidesProveThemselves", "CHAP_A CHAP_I CHAP_C CHAP_N CHAP_R"),
        ("requiredDigestsAreRequired", "HeaderDigest DataDigest"),
        ("aNormalSessionIsEstablishedInOneExchange", "InitialR2T ImmediateData MaxOutstandingR2T DataPDUInOrder"),
        ("aNormalSessionIsEstablishedInOneExchange", "DataSequenceInOrder ErrorRecoveryLevel iSCSIProtocolLevel"),
        ("numbersAtTheEdgesAreTakenOrRejected", "MaxBurstLength DefaultTime2Wait DefaultTime2Retain"),
        ("aFirstBurstIsNeverLongerThanABurst", "FirstBurstLength"),
        ("aSegmentLengthOutOfRangeIsRefused", "MaxRecvDataSegmentLength"),
        ("connectionsAreAddedUpToMaxConnections", "MaxConnections"),
        ("sendTargetsNamesThePortalsOfBothGroups", "SendTargets TargetAddress"),
        ("aBadLoginIsRefusedWithItsStatus", "TargetName InitiatorName SessionType"),
        ("keysThatOnlyTellAreTaken", "InitiatorAlias TargetPortalGroupTag"), ("theKeyIsNegotiated", "TaskReporting"),
    ]

    static let protocolDataUnitTests: [(test: String, codes: String)] = [
        ("pingsAreEchoed", "00 20"), ("senseComesWithTheResponse", "01 21"),
        ("functionsAreHandedOnOrRefused", "02 22"), ("aNormalSessionIsEstablishedInOneExchange", "03 23"),
        ("sendTargetsNamesThePortalsOfBothGroups", "04 24"), ("aWriteArrivesWhole", "05 31"),
        ("logoutEndsEverything", "06 26"), ("responsesComeAgainWithTheirStatSN", "10"),
        ("aReadDeliversTheBytesWithItsStatus", "25"), ("hostsAreAskedToLogOutAndDroppedWhenTheyDoNot", "32"),
        ("requestsOutOfPlaceAreRejectedWithTheirReason", "3F"),
    ]

    static let taskManagementTests: [(test: String, codes: String)] = [
        ("abortTaskNamesOneCommandOfItsNexus", "01"), ("anAbortAtEachStepLeavesNothingBehind", "02 04"),
        ("aResetIsAnsweredWhenItsEventIsCommitted", "05"), ("aTargetResetReachesEveryUnit", "06"),
        ("aColdResetEndsTheSession", "07"), ("aReadGoesOnOverAnotherConnection", "08"),
        ("queriesNeedProtocolLevelTwo", "09 0A 0B 0C"),
    ]

    static let asynchronousEventTests: [(test: String, codes: String)] = [
        ("hostsAreAskedToLogOutAndDroppedWhenTheyDoNot", "01 03")
    ]

    static let loginStatusTests: [(test: String, codes: String)] = [
        ("aNormalSessionIsEstablishedInOneExchange", "0000"), ("loginsAreSentToTheOtherGroupAndNoFurther", "0101"),
        ("aBadLoginIsRefusedWithItsStatus", "0200 0207 0209"), ("whoMustProveItselfCannotGoAround", "0201"),
        ("whoMayNotDiscoverIsTold", "0202"), ("aHiddenTargetIsAnsweredLikeAnUnknownOne", "0203"),
        ("versionsStagesAndTagsAreChecked", "0205 020A 020B"), ("aSecondConnectionForASessionIsRefused", "0206"),
        ("aDiscoverySessionHasOneConnection", "0208"), ("aDriverThatCannotHelpIsATargetError", "0300"),
        ("sessionsAndConnectionsAreBounded", "0302"),
    ]

    static let rejectReasonTests: [(test: String, codes: String)] = [
        ("damagedDataAreRejectedAndEndTheirTask", "02"),
        ("requestsOutOfPlaceAreRejectedWithTheirReason", "03 04 07 09"), ("foreignOpcodesAreRejected", "05"),
        ("aFloodOfImmediateRequestsIsRefused", "06"), ("snacksThatMakeNoSenseAreRejected", "08"),
    ]
}
