//! EventPulse end to end: the real functions, deployed from the real template, on the local stack with IAM enforced.
//! Without a stack these tests fail. No test is skipped, and no failure is retried.

// A test may panic to fail.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used)]

mod adapters;
mod answers;
mod bad_input;
mod cli;
mod contract;
mod deliveries;
mod devices;
mod digests;
mod disturbances;
mod http;
mod identity;
mod large;
mod messages;
mod neighbour;
mod notices;
mod notifications;
mod numbers;
mod owners;
mod poll;
mod raw_log;
mod receipts;
mod requests;
mod samples;
mod upload_commands;
mod usage;
mod world;

use std::future::Future;
use std::process::ExitCode;
use std::sync::Arc;

use adapters::notice_store::{profile, publish_lease};
use adapters::{chunk_store, key_store, notice_store, notice_topic, object_store, subscription_store, upload_store};
use deliveries::{cost_and_logs, crash_recovery, repeated, waiting};
use devices::{keys, limits, sending};
use libtest_mimic::{Arguments, Failed, Trial};
use notices::{crashes, floods};
use tokio::runtime::Handle;
use world::World;

/// The result of a test. Any error fails the test.
type TestResult = Result<(), eventpulse_cli::BoxError>;

/// The default number of tests that run in parallel.
const TESTS_AT_ONCE: usize = 4;

/// The isolation that a test needs.
#[derive(Clone, Copy, PartialEq)]
enum Isolation {
    /// The test may run in parallel with others.
    Shared,
    /// The test changes functions or roles, so it runs alone.
    Exclusive,
}

fn trial<F>(world: &Arc<World>, handle: &Handle, isolation: Isolation, name: &str, test: fn(Arc<World>) -> F) -> Trial
where
    F: Future<Output = TestResult> + 'static,
{
    let (world, handle) = (Arc::clone(world), handle.clone());
    Trial::test(name, move || {
        handle.block_on(async {
            let (mut shared, mut exclusive) = (None, None);
            match isolation {
                Isolation::Shared => shared = Some(world.quiet.read().await),
                Isolation::Exclusive => exclusive = Some(world.quiet.write().await),
            }
            let result = test(Arc::clone(&world)).await;
            drop((shared.take(), exclusive.take()));
            result.map_err(|error| Failed::from(error.to_string()))
        })
    })
}

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    // The tests mostly wait for functions and mails, so more of them run in parallel than there are cores.
    arguments.test_threads.get_or_insert(TESTS_AT_ONCE);
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let world = match runtime.block_on(World::start()) {
        Ok(world) => Arc::new(world),
        Err(error) => {
            eprintln!("error: the local stack did not start: {error}");
            return ExitCode::FAILURE;
        }
    };
    let handle = runtime.handle().clone();
    macro_rules! trials {
        ($($isolation:ident $module:ident :: $test:ident),* $(,)?) => {
            vec![$(trial(&world, &handle, Isolation::$isolation, concat!(stringify!($module), "::", stringify!($test)), $module::$test)),*]
        };
    }
    let trials = trials![
        Shared object_store::missing_objects_are_none,
        Shared object_store::put_object_is_read_by_version,
        Shared object_store::put_new_keeps_an_existing_object,
        Shared object_store::metadata_is_kept_by_copies_and_replaced_on_demand,
        Shared object_store::deleted_version_is_gone_and_can_be_deleted_again,
        Shared object_store::copy_keeps_bytes_and_types,
        Shared object_store::writer_joins_small_and_large_parts,
        Shared upload_store::unknown_upload_is_none,
        Shared upload_store::append_at_a_stale_revision_is_a_conflict,
        Shared upload_store::claim_is_acquired_once_and_taken_for_others,
        Shared upload_store::batch_with_known_uploads_writes_nothing_and_names_them,
        Shared upload_store::idempotency_key_belongs_to_the_first_upload_until_it_expires,
        Shared upload_store::late_versions_are_counted_outside_the_history,
        Shared upload_store::full_history_is_a_kind_of_failure_and_a_final_state,
        Shared upload_store::counters_of_open_uploads_equal_a_recount,
        Shared upload_store::lists_are_paged_to_the_end_newest_first,
        Shared chunk_store::chunks_written_twice_count_once,
        Shared chunk_store::chunks_of_one_attempt_are_deleted,
        Shared chunk_store::uploads_are_removed_from_a_shared_chunk,
        Shared chunk_store::devices_are_paged_to_the_end,
        Shared key_store::written_key_is_read_by_its_owner_only,
        Shared key_store::write_of_a_stale_key_is_a_conflict,
        Shared key_store::lists_are_paged_to_the_end_newest_first,
        Shared notice_store::owner_without_items_has_an_empty_outbox,
        Shared notice_store::occurrence_recorded_twice_is_stored_once,
        Shared notice_store::occurrence_is_recorded_only_with_its_event,
        Shared notice_store::occurrences_beyond_one_change_are_read_after_the_oldest,
        Shared notice_store::unreadable_occurrence_is_set_aside,
        Shared notice_store::change_at_a_stale_revision_is_a_conflict,
        Shared notice_store::problems_notices_and_counts_are_read_back,
        Shared notice_store::problems_await_the_sources_that_failed,
        Shared notice_store::awaiting_problems_are_paged_to_the_end,
        Shared notice_store::problems_are_due_until_they_are_evaluated,
        Shared notice_store::pending_notices_are_read_oldest_first_until_done,
        Shared notice_store::due_owners_are_listed_until_published,
        Shared notice_store::owners_with_occurrences_are_listed_until_folded,
        Shared profile::open_mark_is_refined_only_if_unchanged,
        Shared profile::open_mark_with_many_sources_stands_for_any,
        Shared profile::passed_uploads_are_counted_in_their_profile,
        Shared publish_lease::lease_is_held_until_it_is_released_or_expires,
        Shared publish_lease::lease_of_a_wrong_clock_is_taken,
        Shared notice_topic::published_notice_is_mailed_to_its_owner_only,
        Shared notice_topic::refused_notice_is_an_error,
        Shared subscription_store::missing_subscription_is_the_default,
        Shared subscription_store::written_subscription_is_read_by_its_owner_only,
        Shared subscription_store::write_of_a_stale_subscription_is_a_conflict,
        Shared subscription_store::subscribed_address_is_pending_until_it_is_confirmed,
        Shared subscription_store::set_filter_is_read_back,
        Shared subscription_store::address_with_another_filter_or_form_is_refused,
        Shared subscription_store::unknown_subscription_is_missing,
        Shared samples::each_sample_ends_as_expected,
        Shared samples::rejected_samples_are_quarantined_with_a_valid_report,
        Shared bad_input::each_bad_upload_is_quarantined_with_its_code,
        Shared bad_input::uploads_with_special_characters_in_the_key_are_processed,
        Shared bad_input::presigned_url_refuses_other_content,
        Shared bad_input::reading_stops_where_the_rest_cannot_count_and_nothing_is_lost,
        Shared bad_input::late_version_is_removed_unread,
        Shared bad_input::object_in_the_quarantine_bucket_triggers_nothing,
        Shared repeated::parallel_deliveries_of_one_object_count_once,
        Shared repeated::parallel_uploads_of_equal_bytes_count_once,
        Shared crash_recovery::crash_after_each_event_is_resumed,
        Shared crash_recovery::crash_while_writing_chunks_is_resumed,
        Shared crash_recovery::failed_delivery_while_writing_chunks_is_rolled_back,
        Shared crash_recovery::failed_delivery_recorded_twice_ends_in_quarantine,
        Shared crash_recovery::bytes_of_a_rolled_back_upload_can_be_sent_again,
        Shared repeated::deleted_object_is_quarantined_as_missing,
        Shared waiting::simultaneous_uploads_of_one_large_file_count_once,
        Shared waiting::waiting_uploads_take_over_when_their_holder_fails,
        Shared waiting::claim_of_a_dead_holder_lapses,
        Shared waiting::claim_of_a_lost_upload_is_released,
        Shared waiting::waiting_upload_is_processed_when_its_holder_is_withdrawn,
        Shared digests::equal_bytes_count_once_whether_s3_verified_their_digest_or_not,
        Shared digests::bytes_without_the_announced_digest_are_refused_and_not_processed,
        Shared digests::checksum_that_covers_the_whole_object_is_its_digest_however_it_was_sent,
        Shared digests::messages_and_corrections_have_the_source_of_their_own_bytes,
        Shared cost_and_logs::logs_carry_one_correlation_id_and_no_payload,
        Shared cost_and_logs::small_upload_takes_at_most_five_round_trips,
        Shared owners::owner_uploads_reads_statistics_and_fixes_the_quarantine,
        Shared owners::every_route_refuses_other_owners_and_anonymous_calls,
        Shared owners::invalid_tokens_are_refused,
        Shared identity::users_neither_sign_up_nor_change_their_owner_id,
        Shared identity::presigned_put_accepts_its_signed_headers_only,
        Shared owners::receipts_show_every_state,
        Shared owners::lists_page_and_filter_and_refuse_foreign_cursors,
        Shared owners::cors_allows_the_console_origin_only,
        Shared answers::statistics_over_any_range_are_exact_and_name_their_uploads,
        Shared answers::devices_measures_and_buckets_are_listed,
        Shared answers::days_and_months_are_those_of_the_time_zone,
        Shared answers::quantiles_are_served_as_asked_and_have_tags_of_their_own,
        Shared answers::unchanged_answer_is_not_modified,
        Shared receipts::decisions_name_the_applied_schemas_with_the_digests_of_their_files,
        Shared receipts::corrected_upload_has_the_statistics_of_all_accepted_values,
        Shared receipts::corrected_message_has_the_statistics_of_all_accepted_values,
        Shared receipts::corrected_upload_of_many_devices_lists_the_largest_series_exactly,
        Shared numbers::equal_values_have_equal_exact_numbers_however_they_arrive,
        Shared numbers::numbers_are_exact_after_each_correction_and_withdrawal,
        Shared numbers::messages_of_one_chunk_have_exact_numbers_together_and_without_one,
        Shared upload_commands::partially_accepted_upload_is_corrected_in_steps,
        Shared upload_commands::objects_of_an_upload_name_its_owner_and_what_its_verdict_depends_on,
        Shared upload_commands::correction_with_more_records_than_are_rejected_counts_nothing,
        Shared upload_commands::rejected_correction_updates_the_same_item,
        Shared upload_commands::parallel_retries_count_once,
        Shared upload_commands::large_correction_is_sent_by_presigned_url,
        Shared upload_commands::discarded_records_are_hidden_and_withdrawn_uploads_leave_every_answer,
        Shared upload_commands::used_url_does_not_change_a_terminal_upload,
        Shared requests::each_invalid_request_gets_a_specific_error,
        Shared requests::validate_returns_the_verdict_of_an_upload_and_stores_nothing,
        Shared requests::gateway_errors_are_problem_details,
        Shared requests::hostile_headers_get_an_answer_and_harm_no_other_request,
        Shared cli::cli_uploads_reads_statistics_and_fixes_the_quarantine,
        Shared cli::cli_uploads_many_large_files_in_parallel,
        Shared cli::invited_user_chooses_a_password,
        Shared cli::cli_manages_keys_and_simulates_a_fleet,
        Shared cli::admin_offboards_an_owner_and_leaves_others_alone,
        Shared cli::admin_revokes_keys_and_recounts_open_uploads,
        Shared messages::bad_message_does_not_affect_its_batch,
        Shared messages::message_of_501_records_is_quarantined_without_the_gateway,
        Shared messages::repeated_message_counts_once,
        Shared messages::messages_with_one_idempotency_key_count_once,
        Shared messages::withdrawn_message_leaves_its_shared_chunk,
        Shared messages::raw_log_holds_every_accepted_message,
        Shared raw_log::a_batch_has_one_raw_log_object_per_owner_under_the_owners_prefix,
        Shared sending::message_is_accepted_and_counted,
        Shared sending::array_with_a_wrong_element_is_partially_accepted,
        Shared sending::message_of_another_schema_is_accepted,
        Shared sending::message_that_no_schema_accepts_is_refused,
        Shared sending::message_of_500_records_is_accepted,
        Shared sending::large_untyped_or_unauthorized_message_is_refused,
        Shared sending::hostile_bodies_reach_the_queue_unchanged,
        Shared sending::hostile_headers_change_neither_owner_nor_queue_call,
        Shared keys::created_keys_are_listed_without_their_secret,
        Shared keys::revoked_key_is_refused_within_the_cache_time,
        Shared keys::rotated_key_replaces_the_old_secret,
        Shared keys::rotated_key_keeps_the_old_secret_on_request_until_it_is_revoked,
        Shared limits::each_key_is_throttled_separately,
        Exclusive neighbour::hostile_owner_neither_slows_nor_fails_another_one,
        Shared notifications::subscription_passes_through_every_state,
        Shared notifications::parallel_subscribe_calls_send_one_mail,
        Shared notifications::owners_see_and_change_only_their_own_subscription,
        Shared notifications::unverified_address_is_refused,
        Shared notifications::changed_address_is_subscribed_and_the_old_one_is_not_reused,
        Shared notifications::invalid_body_names_the_member,
        Shared notices::problem_is_notified_when_new_repeated_resolved_and_regressed,
        Shared notices::corrected_records_resolve_their_problem,
        Shared floods::thousand_problems_are_notified_within_the_rate,
        Shared notices::owners_with_like_failures_get_separate_notices,
        Shared notices::first_partially_accepted_upload_has_no_history_section,
        Shared notices::duplicates_and_repeated_deliveries_send_no_mail,
        Shared notices::machine_subscribers_get_the_notice_as_json,
        Shared notices::operator_gets_every_notice_within_the_rate,
        Shared crashes::synthetic_check_is_published_and_mails_nobody,
        Shared crashes::synthetic_message_is_counted_and_found_by_the_next_check,
        Shared usage::uploads_messages_and_rejected_records_are_counted,
        Shared usage::upload_beyond_the_quota_is_refused_and_what_was_issued_is_processed,
        Shared usage::owner_without_requests_left_is_refused_until_the_window_ends,
        Shared usage::repeated_post_of_an_upload_creates_one_upload,
        Shared usage::announced_type_with_parameters_and_capitals_is_uploaded,
        Shared usage::links_of_every_device_lead_to_it,
        Shared contract::every_answer_conforms_to_the_openapi_document,
        Exclusive large::gibibyte_upload_uses_flat_memory,
        Exclusive large::hostile_records_use_flat_memory,
        Exclusive large::compressed_hostile_lines_are_drained_while_reading,
        Exclusive large::large_rejected_object_is_moved_in_parts,
        Exclusive disturbances::missing_permission_fails_the_delivery_until_restored,
        Exclusive disturbances::unreadable_upload_becomes_failed_and_recovers,
        Exclusive messages::unfinished_message_is_redelivered,
        Exclusive floods::thousand_failures_of_one_problem_send_two_mails,
        Exclusive crashes::abandoned_publish_lease_expires,
        Exclusive notices::quiet_problem_reports_the_records_that_are_missing,
        Exclusive crashes::crash_between_publishing_and_recording_repeats_at_most_one_notice,
        Exclusive limits::burst_of_five_thousand_messages_is_settled_completely,
        Exclusive limits::dead_letters_are_redriven_by_one_command,
        Exclusive disturbances::upload_that_kills_the_function_is_quarantined,
    ];
    let conclusion = libtest_mimic::run(&arguments, trials);
    drop(handle);
    let stopped = Arc::try_unwrap(world).map_err(|_| "tests still use the stack".into());
    if let Err(error) = stopped.and_then(|world| runtime.block_on(world.stop())) {
        eprintln!("error: the local stack did not stop: {error}");
        return ExitCode::FAILURE;
    }
    conclusion.exit_code()
}
