# tests/e2e/clients/post.pl - posts one request by Perl's HTTP::Tiny and IO::Socket::SSL, as post.py does.
use strict;
use warnings;
use File::Temp;
use HTTP::Tiny;
use JSON::PP;

my $job = decode_json(join '', <STDIN>);
my $ca = File::Temp->new;
print $ca $job->{ca};
close $ca;
my $http = HTTP::Tiny->new(verify_SSL => 1, SSL_options => { SSL_ca_file => "$ca" });
my $reply = $http->post($job->{url}, { headers => $job->{headers}, content => $job->{body} });
print encode_json({ status => $reply->{status} + 0, length => length $reply->{content} }), "\n";
