/** Kafka's error codes that Millrace reacts to by name. Source: kafka.apache.org/protocol#protocol_error_codes. */
export const CODE = {
  none: 0,
  offsetOutOfRange: 1,
  unknownTopicOrPartition: 3,
  leaderNotAvailable: 5,
  notLeader: 6,
  requestTimedOut: 7,
  messageTooLarge: 10,
  coordinatorLoading: 14,
  coordinatorNotAvailable: 15,
  notCoordinator: 16,
  recordListTooLarge: 18,
  notEnoughReplicas: 19,
  notEnoughReplicasAfterAppend: 20,
  topicAuthorization: 29,
  groupAuthorization: 30,
  invalidTimestamp: 32,
  invalidProducerEpoch: 47,
  invalidTransactionState: 48,
  invalidProducerIdMapping: 49,
  concurrentTransactions: 51,
  transactionalIdAuthorization: 53,
  operationNotAttempted: 55,
  storageError: 56,
  fencedLeaderEpoch: 74,
  unknownLeaderEpoch: 75,
  offsetNotAvailable: 78,
  invalidRecord: 87,
  producerFenced: 90,
  unknownTopicId: 100,
  inconsistentTopicId: 103,
  transactionalIdNotFound: 105,
} as const

const names = new Map<number, string>(Object.entries(CODE).map(([name, code]) => [code, name]))
export const codeName = (code: number): string => `${names.get(code) ?? 'error'} (${code})`

const has =
  (...codes: readonly number[]) =>
  (code: number): boolean =>
    codes.includes(code)

/** A newer owner of the transactional id exists, or the broker ended the transaction for us: nothing may be written under this epoch. */
export const isFenced = has(CODE.invalidProducerEpoch, CODE.producerFenced)
/** P3.4 a: the same bytes may be sent again. */
export const isProduceRetriable = has(
  CODE.leaderNotAvailable,
  CODE.notLeader,
  CODE.requestTimedOut,
  CODE.notEnoughReplicas,
  CODE.notEnoughReplicasAfterAppend,
  CODE.storageError,
)
/** P3.4 c: this batch can never be written as it is. */
export const isUnwritable = has(
  CODE.messageTooLarge,
  CODE.recordListTooLarge,
  CODE.invalidTimestamp,
  CODE.invalidRecord,
)
export const isForbidden = has(CODE.topicAuthorization, CODE.transactionalIdAuthorization)
/** Ask again who coordinates, or wait for it. */
export const isCoordinatorMoved = has(
  CODE.coordinatorLoading,
  CODE.coordinatorNotAvailable,
  CODE.notCoordinator,
)
export const isLeaderMoved = has(
  CODE.leaderNotAvailable,
  CODE.notLeader,
  CODE.storageError,
  CODE.fencedLeaderEpoch,
  CODE.unknownLeaderEpoch,
  CODE.offsetNotAvailable,
)
export const isTopicUnknown = has(CODE.unknownTopicOrPartition, CODE.unknownTopicId, CODE.inconsistentTopicId)
