# However far scrypt's cost is lowered (or raised), whoever has a password signs in with it, and it is hashed anew with
# the present cost.
use v5.36;

use Test::More;
use Roster;

my $roster = Roster->new(config => {password_scrypt_n => 65536, password_scrypt_p => 2, rate_limits => 'no'});
my $admin = $roster->add_user(role => 'admin');

my $password = 'a password of some length';

sub cost_of ($email) { return substr scalar $roster->sql('SELECT password FROM auth WHERE email = ?', $email), 0, 10 }

for my $name (1 .. 3) {
    is $roster->post(
        '/auths/add',
        $admin,
        {
            name => "Person $name",
            email => "$name\@example.org",
            password => $password,
            role => 'user'
        }
    )->{status}, 200, "account $name";
}
is cost_of('1@example.org'), '$s1$100802', 'hashed with the configured cost';

$roster->set_directives(password_scrypt_n => 1024, password_scrypt_p => 1);
$roster->restart('roster');
is_problem $roster->sign_in('1@example.org', password => 'wrong password'), 400, 'INVALID_CRED',
    'lowered 128 times: a wrong password is wrong';
is $roster->sign_in('1@example.org', password => $password)->{status}, 200, 'the right one is right';
is cost_of('1@example.org'), '$s1$0a0801', 'and hashed anew';
is $roster->sign_in('1@example.org', password => $password)->{status}, 200, 'and right again';

# Where the memory may not be taken, nobody pretends that it is a wrong password for the operator.
$roster->set_directives(password_hash_memory_limit => '32m');
$roster->restart('roster');
is_problem $roster->sign_in('2@example.org', password => $password), 400, 'INVALID_CRED',
    'a hash that takes more than password_hash_memory_limit';
ok $roster->wait_log(qr/\[warning\].*password_hash_memory_limit/), 'the log names the directive'
    or diag $roster->log_text;
$roster->set_directives(password_hash_memory_limit => '64m');
$roster->restart('roster');
is $roster->sign_in('2@example.org', password => $password)->{status}, 200, 'which helps';

$roster->set_directives(password_scrypt_n => 4096);
$roster->restart('roster');
is $roster->sign_in('2@example.org', password => $password)->{status}, 200, 'raised';
is cost_of('2@example.org'), '$s1$0c0801', 'and hashed anew';

done_testing;
