# The service against its own OpenAPI document, by schemathesis, with all of its checks but those that schemathesis.toml
# takes away: no answer is a 5xx, none has a status, a type or a form that the document does not give. As an
# administrator and as a user, with each value of compatibility. `make schemathesis' runs it; EXAMPLES says how many
# requests each operation gets in each of schemathesis' phases, about, and ONLY is a part of the names of operations.
use v5.36;

use Test::More;
use Roster;

my $tools = $ENV{ROSTER_TOOLS} // "$Roster::source/run/check/tools";
my $program = "$tools/schemathesis/bin/schemathesis";
plan skip_all => 'schemathesis is not there: t/get-tools DIR, and ROSTER_TOOLS=DIR' if !-x $program;

my $examples = $ENV{EXAMPLES} // 10;

# Not these: they end the session or the account that asks, or change who may do what.
my @excluded = qw(sign_out sign_out_post sessions_end session_end password_update user_delete user_erase user_disable
    user_update users_bulk user_sessions_end user_sessions_revoke admin_config_set);

my %limits = map { ("rate_limit_$_" => 1_000_000) }
    qw(sign_in sign_in_email sign_in_address sign_up link link_mail list password api_key update);

for my $compatibility ('0.6', '0.12') {
    my $roster = Roster->new(
        tcp => 1,
        config => {
            compatibility => $compatibility,
            password_scrypt_n => 1024,
            password_scrypt_r => 1,
            password_scrypt_p => 1,
            %limits
        });
    for my $role (qw(admin user)) {
        my $caller = $roster->add_user(role => $role);
        $roster->add_user for 1 .. 3;
        my $log = "$Roster::build/schemathesis-$compatibility-$role.log";
        my @command = (
            $program,
            '--config-file',
            "$Roster::source/t/schemathesis/schemathesis.toml",
            'run',
            $roster->url . '/openapi.json',
            '--max-examples',
            $examples,
            '--header',
            "Authorization: Bearer $caller->{token}",
            '--no-color',
            '--seed',
            $ENV{SEED} // 1,
            '--continue-on-failure',
            (map { ('--exclude-operation-id', $_) } @excluded),
            defined $ENV{ONLY} ? ('--include-operation-id-regex', $ENV{ONLY}) : ());
        my $pid = fork // die "fork: $!\n";
        if ($pid == 0) {
            chdir $roster->directory or die;
            open STDOUT, '>', $log or die "$log: $!\n";
            open STDERR, '>&', \*STDOUT or die;
            exec @command or die;
        }
        waitpid $pid, 0;
        is $?, 0, "compatibility = $compatibility, as $role: see $log";
    }
}

done_testing;
