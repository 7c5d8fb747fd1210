// What each of Airflow's trigger rules makes of every combination of one to three upstream steps, written down from
// Airflow's own evaluation (TriggerRuleDep) and its page on trigger rules, not from Pawl's code.
//
// Upstream: S success, K skipped, F failed, U upstream_failed, _ not ended yet.
// Verdict:  R the step runs, k it is skipped, u it is upstream_failed, . it waits.
//
// Four cells differ from Airflow on purpose (all_success with a skip while another step is open): Airflow skips at once, so
// a failure that comes later is lost or not by the order of events; Pawl waits for it.

import type { TriggerRule } from '../../../dag/graph.js';

export const columns: readonly TriggerRule[] = [
  'all_success',
  'all_failed',
  'all_done',
  'all_done_min_one_success',
  'all_skipped',
  'one_failed',
  'one_success',
  'one_done',
  'none_failed',
  'none_failed_min_one_success',
  'none_skipped',
  'always',
];

export const table = `
  S   | R k R R k k R R R R R R
  K   | k k R k R k k k R k k R
  F   | u R R u k R u R u u R R
  U   | u R R u k R u k u u R R
  _   | . . . . . . . . . . . R
  SS  | R k R R k k R R R R R R
  SK  | k k R k k k R R R R k R
  SF  | u k R R k R R R u u R R
  SU  | u k R R k R R R u u R R
  S_  | . k . . k . R R . . . R
  KK  | k k R k R k k k R k k R
  KF  | u k R k k R u R u u k R
  KU  | u k R k k R u k u u k R
  K_  | . k . k . . . . . . k R
  FF  | u R R u k R u R u u R R
  FU  | u R R u k R u R u u R R
  F_  | u . . . k R . R u u . R
  UU  | u R R u k R u k u u R R
  U_  | u . . . k R . . u u . R
  __  | . . . . . . . . . . . R
  SSS | R k R R k k R R R R R R
  SSK | k k R k k k R R R R k R
  SSF | u k R R k R R R u u R R
  SSU | u k R R k R R R u u R R
  SS_ | . k . . k . R R . . . R
  SKK | k k R k k k R R R R k R
  SKF | u k R k k R R R u u k R
  SKU | u k R k k R R R u u k R
  SK_ | . k . k k . R R . . k R
  SFF | u k R R k R R R u u R R
  SFU | u k R R k R R R u u R R
  SF_ | u k . . k R R R u u . R
  SUU | u k R R k R R R u u R R
  SU_ | u k . . k R R R u u . R
  S__ | . k . . k . R R . . . R
  KKK | k k R k R k k k R k k R
  KKF | u k R k k R u R u u k R
  KKU | u k R k k R u k u u k R
  KK_ | . k . k . . . . . . k R
  KFF | u k R k k R u R u u k R
  KFU | u k R k k R u R u u k R
  KF_ | u k . k k R . R u u k R
  KUU | u k R k k R u k u u k R
  KU_ | u k . k k R . . u u k R
  K__ | . k . k . . . . . . k R
  FFF | u R R u k R u R u u R R
  FFU | u R R u k R u R u u R R
  FF_ | u . . . k R . R u u . R
  FUU | u R R u k R u R u u R R
  FU_ | u . . . k R . R u u . R
  F__ | u . . . k R . R u u . R
  UUU | u R R u k R u k u u R R
  UU_ | u . . . k R . . u u . R
  U__ | u . . . k R . . u u . R
  ___ | . . . . . . . . . . . R
`;
